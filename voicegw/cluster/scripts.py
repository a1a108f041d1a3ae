"""What Redis does in one step, in its own language.

Every script is given the prefix of all keys as its only key: one Redis holds all of them, and a key that is made
inside a script from what another one says could not be named before. Keys behind the prefix::

    nodes                hash   name → mark of the run that is in force
    node:NAME            string the last sign of life of that run, with its time to live
    replaced             set    runs whose name another run has taken since
    lost                 set    runs that are fenced and whose calls are not ended yet
    calls:OWNER          hash   call id → call
    ended:OWNER          hash   the same of a run that is lost
    claim:OWNER          string who ends them, with the time to live of the claim
    line:NAME            hash   OWNER|HOLDER → 1
    held:OWNER           hash   HOLDER → names of its lines, separated by newlines
    lease:NAME           string TOKEN|OWNER, with the time to live of the lease
    fence                string the greatest token so far
    bans                 hash   host → the newest word on it
    bans:version         string grows with every change of them
    phones               hash   phone → JSON list of the words on its contacts, each of them JSON
    phones:order         zset   phone → number of its latest change
    phones:ends          zset   phone → when the last word on it is over, milliseconds
    phones:version       string EPOCH|NUMBER of the latest change
    told, sent:OWNER     stream messages to all, and to one run
"""

from __future__ import annotations

from typing import Final

BEAT: Final = """
local p, name, mark = KEYS[1], ARGV[1], ARGV[2]
local before = redis.call('HGET', p..'nodes', name)
redis.call('SET', p..'node:'..name, ARGV[4], 'PX', ARGV[3])
if before == mark then return 1 end
if before then redis.call('SADD', p..'replaced', name..'@'..before) end
redis.call('HSET', p..'nodes', name, mark)
return before and 2 or 0
"""

_FREE_ALL: Final = """
local function free_all(p, owner)
    local held = redis.call('HGETALL', p..'held:'..owner)
    for i = 1, #held, 2 do
        for line in string.gmatch(held[i + 1], '[^\\n]+') do
            redis.call('HDEL', p..'line:'..line, owner..'|'..held[i])
        end
    end
    redis.call('DEL', p..'held:'..owner)
end
"""

_HOLD: Final = """
local function hold(p, owner, holder, lines)
    for _, line in ipairs(lines) do redis.call('HSET', p..'line:'..line, owner..'|'..holder, 1) end
    redis.call('HSET', p..'held:'..owner, holder, table.concat(lines, '\\n'))
end
"""

LEAVE: Final = (
    _FREE_ALL
    + """
local p, name, mark = KEYS[1], ARGV[1], ARGV[2]
local owner = name..'@'..mark
free_all(p, owner)
redis.call('DEL', p..'calls:'..owner, p..'sent:'..owner)
if redis.call('HGET', p..'nodes', name) == mark then
    redis.call('HDEL', p..'nodes', name)
    redis.call('DEL', p..'node:'..name)
end
"""
)

REWRITE: Final = (
    _FREE_ALL
    + _HOLD
    + """
local p, owner, given = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
redis.call('DEL', p..'calls:'..owner)
for _, call in ipairs(given[1]) do redis.call('HSET', p..'calls:'..owner, call[1], call[2]) end
free_all(p, owner)
for _, one in ipairs(given[2]) do hold(p, owner, one[1], one[2]) end
"""
)

TAKE_LINES: Final = (
    _HOLD
    + """
local p, owner, holder, lines, wanted = KEYS[1], ARGV[1], ARGV[2], {}, {}
local function is_full(key, limit)
    if redis.call('HLEN', key) < limit then return false end
    if redis.call('EXISTS', p..'nodes') == 1 then
        for _, who in ipairs(redis.call('HKEYS', key)) do
            local name, mark = string.match(who, '^([^@]*)@([^|]*)|')
            if redis.call('HGET', p..'nodes', name or '') ~= mark then redis.call('HDEL', key, who) end
        end
    end
    return redis.call('HLEN', key) >= limit
end
for i = 3, #ARGV, 2 do
    local line, key = ARGV[i], p..'line:'..ARGV[i]
    local has = redis.call('HEXISTS', key, owner..'|'..holder)
    if has == 0 and is_full(key, tonumber(ARGV[i + 1])) then return line end
    table.insert(lines, line)
    wanted[line] = true
end
for line in string.gmatch(redis.call('HGET', p..'held:'..owner, holder) or '', '[^\\n]+') do
    if not wanted[line] then redis.call('HDEL', p..'line:'..line, owner..'|'..holder) end
end
hold(p, owner, holder, lines)
return ''
"""
)
"""A line that is full is looked at: a run that was taken for dead, lived on for a moment, took it and died is in no
list of nodes, and nobody else would free it."""

FREE_LINES: Final = """
local p, owner, holder = KEYS[1], ARGV[1], ARGV[2]
local lines = redis.call('HGET', p..'held:'..owner, holder)
if not lines then return end
for line in string.gmatch(lines, '[^\\n]+') do redis.call('HDEL', p..'line:'..line, owner..'|'..holder) end
redis.call('HDEL', p..'held:'..owner, holder)
"""

CLAIM_LOST: Final = (
    _FREE_ALL
    + """
local p, by, name, mark, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local owner = name..'@'..mark
if redis.call('SISMEMBER', p..'lost', owner) == 0 then
    local known = redis.call('HGET', p..'nodes', name) == mark
    if known and redis.call('EXISTS', p..'node:'..name) == 1 then return false end
    if not known and redis.call('SISMEMBER', p..'replaced', owner) == 0 then return false end
    if known then redis.call('HDEL', p..'nodes', name) end
    redis.call('SREM', p..'replaced', owner)
    redis.call('DEL', p..'sent:'..owner)
    free_all(p, owner)
    if redis.call('EXISTS', p..'calls:'..owner) == 1 then
        redis.call('RENAME', p..'calls:'..owner, p..'ended:'..owner)
    end
    redis.call('SADD', p..'lost', owner)
end
local claim = redis.call('GET', p..'claim:'..owner)
if claim and claim ~= by then return false end
redis.call('SET', p..'claim:'..owner, by, 'PX', ttl)
return redis.call('HVALS', p..'ended:'..owner)
"""
)

SETTLE_LOST: Final = """
local p, by, owner, kept = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', p..'claim:'..owner) ~= by then return 0 end
for i = 4, #ARGV do redis.call('XADD', p..'told', 'MAXLEN', '~', kept, '*', 'm', ARGV[i]) end
redis.call('DEL', p..'claim:'..owner, p..'ended:'..owner)
redis.call('SREM', p..'lost', owner)
return 1
"""

TAKE_LEASE: Final = """
local p, name, owner, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local value = redis.call('GET', p..'lease:'..name)
if value then
    local token, holder = string.match(value, '^(%d+)|(.*)$')
    if holder ~= owner then return 0 end
    redis.call('PEXPIRE', p..'lease:'..name, ttl)
    return tonumber(token)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token = math.max(now, tonumber(redis.call('GET', p..'fence') or '0') + 1)
redis.call('SET', p..'fence', string.format('%d', token))
redis.call('SET', p..'lease:'..name, string.format('%d', token)..'|'..owner, 'PX', ttl)
return token
"""
"""Tokens follow the clock, so that they grow even over a Redis that has forgotten everything."""

KEEP_LEASE: Final = """
local key = KEYS[1]..'lease:'..ARGV[1]
if redis.call('GET', key) ~= ARGV[3]..'|'..ARGV[2] then return 0 end
redis.call('PEXPIRE', key, ARGV[4])
return 1
"""

GIVE_LEASE: Final = """
local key = KEYS[1]..'lease:'..ARGV[1]
if redis.call('GET', key) == ARGV[3]..'|'..ARGV[2] then redis.call('DEL', key) end
"""

PUT_NOTICES: Final = """
local p, most, time = KEYS[1], tonumber(ARGV[1]), redis.call('TIME')
local function parsed(text)
    local ok, found = pcall(cjson.decode, text)
    if not ok or type(found) ~= 'table' then return nil end
    if type(found['at']) == 'number' and type(found['until']) == 'number' then return found end
end
local all, size, changed = redis.call('HGETALL', p..'bans'), 0, false
for i = 1, #all, 2 do
    local notice = parsed(all[i + 1])
    if notice and notice['until'] > tonumber(time[1]) then
        size = size + 1
    else
        redis.call('HDEL', p..'bans', all[i])
    end
end
for i = 2, #ARGV, 2 do
    local before = parsed(redis.call('HGET', p..'bans', ARGV[i]) or '')
    if before and before['at'] < parsed(ARGV[i + 1])['at'] or not before and size < most then
        redis.call('HSET', p..'bans', ARGV[i], ARGV[i + 1])
        if not before then size = size + 1 end
        changed = true
    end
end
if not changed then return end
local now = time[1] * 1000000 + time[2]
local version = math.max(now, tonumber(redis.call('GET', p..'bans:version') or '0') + 1)
redis.call('SET', p..'bans:version', string.format('%d', version))
"""
"""Versions follow the clock for the reason that tokens do."""

PUT_PHONES: Final = """
local p, most, contacts, clocks = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local function parsed(text)
    local ok, found = pcall(cjson.decode, text)
    if not ok or type(found) ~= 'table' then return nil end
    if type(found.at_ms) ~= 'number' or type(found.until_ms) ~= 'number' then return nil end
    found.text = text
    return found
end
local function key(word)
    if word.instance and word.reg_id then return word.instance..';'..word.reg_id end
    return word.contact
end
local function newer(one, other)
    local is_moment = math.abs(one.at_ms - other.at_ms) <= clocks
    if is_moment and one.call_id == other.call_id and one.cseq ~= other.cseq then return one.cseq > other.cseq end
    if one.at_ms ~= other.at_ms then return one.at_ms > other.at_ms end
    return one.by > other.by
end
local function older_first(one, other)
    if (one.gone == true) ~= (other.gone == true) then return one.gone == true end
    return one.at_ms < other.at_ms
end
local function listed(phone)
    local ok, texts = pcall(cjson.decode, redis.call('HGET', p..'phones', phone) or '[]')
    local words = {}
    if not ok or type(texts) ~= 'table' then return words end
    for _, text in ipairs(texts) do
        local word = parsed(text)
        if word and word.until_ms > now then table.insert(words, word) end
    end
    return words
end
local function forget(phone)
    redis.call('HDEL', p..'phones', phone)
    redis.call('ZREM', p..'phones:order', phone)
    redis.call('ZREM', p..'phones:ends', phone)
end
local over = redis.call('ZRANGEBYSCORE', p..'phones:ends', '-inf', now, 'LIMIT', 0, 100)
for _, phone in ipairs(over) do forget(phone) end
local epoch, number = string.match(redis.call('GET', p..'phones:version') or '', '^(%d+)|(%d+)$')
epoch = epoch or string.format('%d', micros)
number = math.max(tonumber(number or '0'), micros)
local is_changed = false
for i = 4, #ARGV do
    local word = parsed(ARGV[i])
    local words, stands = listed(word.phone), word.until_ms > now
    local is_room = #words > 0 or redis.call('HLEN', p..'phones') < most
    for at = #words, 1, -1 do
        if key(words[at]) == key(word) then
            stands = stands and newer(word, words[at])
            if stands then table.remove(words, at) end
        end
    end
    if stands and is_room then
        table.insert(words, word)
        table.sort(words, older_first)
        while #words > contacts do table.remove(words, 1) end
        local texts, ends = {}, 0
        for at, one in ipairs(words) do
            texts[at] = one.text
            ends = math.max(ends, one.until_ms)
        end
        number = number + 1
        redis.call('HSET', p..'phones', word.phone, cjson.encode(texts))
        redis.call('ZADD', p..'phones:order', string.format('%d', number), word.phone)
        redis.call('ZADD', p..'phones:ends', string.format('%d', ends), word.phone)
        is_changed = true
    end
end
if is_changed then redis.call('SET', p..'phones:version', epoch..'|'..string.format('%d', number)) end
"""
