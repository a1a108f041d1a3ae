"""The shared state in Redis 6.2 or newer: one server, or a primary whose address a proxy or DNS keeps.

Every operation is one command, one script or one transaction. Nothing here waits for a Redis that is away: who asks
is told so within :data:`PATIENCE_S` and decides what that means.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.cluster import scripts
from voicegw.ports.cluster import (
    CLOCKS_MS,
    MOST_CONTACTS,
    MOST_NOTICES,
    MOST_PHONES,
    READ_AT_MOST,
    Beaten,
    Delivered,
    Line,
    NodeInfo,
    Notice,
    Notices,
    Owner,
    PhonePage,
    PhoneVersion,
    PhoneWord,
    Positions,
    Roster,
    SharedCall,
)

PATIENCE_S: Final = 2.0
_CONNECT_S: Final = 1.0
_CANCEL_AGAIN_S: Final = 0.1
_SENT_KEPT: Final = 1000
_SENT_S: Final = 600
"""Nobody waits that long for an answer."""
_RESP2: Final = 2
_nodes: Final = msgspec.json.Decoder(NodeInfo)
_calls: Final = msgspec.json.Decoder(SharedCall)
_notices: Final = msgspec.json.Decoder(Notice)
_texts: Final = msgspec.json.Decoder(list[str])
_word: Final = msgspec.json.Decoder(PhoneWord)
_json: Final = msgspec.json.Encoder()
T = TypeVar("T")


class _Leaving:
    """Of a connection: what was a primary and is a replica now is left, for the proxy or the name to lead to the
    new primary. It closes nothing by itself, and would refuse to write for as long as it runs."""

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """See redis-py. A script of Redis 6 says it in the middle of its error."""
        try:
            return await cast(Any, super()).read_response(*arguments, **options)
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and "READONLY" not in str(error):
                raise
            await cast(Any, self).disconnect()
            raise NoConnection("this Redis is a replica now") from error


class RedisShared:
    """A :class:`~voicegw.ports.cluster.SharedState` over one connection pool. Opens nothing before it is asked."""

    def __init__(self, url: str, name: str, *, password: str = "", kept: int = 20_000) -> None:
        """``name``: of the cluster. Raises ValueError for what is no URL."""
        options: dict[str, Any] = {"password": password} if password else {}
        self._redis = aioredis.Redis.from_url(
            url,
            socket_timeout=PATIENCE_S,
            socket_connect_timeout=_CONNECT_S,
            # Once more at once: the connection of an idle pool may be one to a Redis that was started anew.
            retry=Retry(NoBackoff(), 1),
            protocol=_RESP2,
            **options,
        )
        pool = self._redis.connection_pool
        pool.connection_class = type("Leaving", (_Leaving, pool.connection_class), {})
        self._prefix = f"{name}:"
        self._kept = kept
        self._scripts: dict[str, Any] = {}
        self._asking: set[asyncio.Future[Any]] = set()

    # ------------------------------------------------------------ nodes

    async def beat(self, info: NodeInfo, ttl_s: float) -> Beaten:
        """See the protocol."""
        return Beaten(await self._run(scripts.BEAT, info.name, info.mark, _ms(ttl_s), _json.encode(info)))

    async def roster(self) -> Roster:
        """See the protocol."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hgetall(self._key("nodes"))
        pipe.smembers(self._key("replaced"))
        pipe.smembers(self._key("lost"))
        known, replaced, lost = await self._asked(pipe.execute())
        owners = [Owner(name.decode(), mark.decode()) for name, mark in sorted(known.items())]
        signs = (
            await self._asked(self._redis.mget([self._key("node:" + one.name) for one in owners])) if owners else []
        )
        infos = [_decoded(_nodes, sign) if sign else None for sign in signs]
        alive = [info for info, owner in zip(infos, owners, strict=True) if info and info.mark == owner.mark]
        here = {info.owner for info in alive}
        left = {Owner.parse(text.decode()) for text in (*replaced, *lost)}
        return Roster(tuple(alive), tuple(sorted(left | (set(owners) - here))))

    async def leave(self, owner: Owner) -> None:
        """See the protocol."""
        await self._run(scripts.LEAVE, owner.name, owner.mark)

    # ------------------------------------------------------------ calls and lines

    async def put_calls(self, owner: Owner, calls: Sequence[SharedCall]) -> None:
        """See the protocol."""
        if calls:
            rows = {call.call_id: _json.encode(call) for call in calls}
            await self._asked(self._redis.hset(self._key(f"calls:{owner}"), mapping=cast(Any, rows)))

    async def drop_calls(self, owner: Owner, call_ids: Sequence[CallId]) -> None:
        """See the protocol."""
        if call_ids:
            await self._asked(self._redis.hdel(self._key(f"calls:{owner}"), *call_ids))

    async def rewrite(self, owner: Owner, calls: Sequence[SharedCall], lines: Mapping[str, Sequence[str]]) -> None:
        """See the protocol."""
        rows = [[call.call_id, _json.encode(call).decode()] for call in calls]
        await self._run(scripts.REWRITE, str(owner), _json.encode([rows, list(lines.items())]))

    async def calls(self) -> Mapping[Owner, Sequence[SharedCall]]:
        """See the protocol."""
        owners = [info.owner for info in (await self.roster()).nodes]
        pipe = self._redis.pipeline(transaction=False)
        for owner in owners:
            pipe.hvals(self._key(f"calls:{owner}"))
        found = await self._asked(pipe.execute())
        return {
            owner: tuple(_decoded(_calls, row) for row in rows) for owner, rows in zip(owners, found, strict=True)
        }

    async def take_lines(self, owner: Owner, holder: str, lines: Sequence[Line]) -> str:
        """See the protocol."""
        flat = [word for line in lines for word in (line.name, line.limit)]
        return cast(bytes, await self._run(scripts.TAKE_LINES, str(owner), holder, *flat)).decode()

    async def free_lines(self, owner: Owner, holder: str) -> None:
        """See the protocol."""
        await self._run(scripts.FREE_LINES, str(owner), holder)

    # ------------------------------------------------------------ the lost

    async def claim_lost(self, by: Owner, owner: Owner, claim_s: float) -> tuple[SharedCall, ...] | None:
        """See the protocol."""
        rows = await self._run(scripts.CLAIM_LOST, str(by), owner.name, owner.mark, _ms(claim_s))
        return None if rows is None else tuple(_decoded(_calls, row) for row in rows)

    async def settle_lost(self, by: Owner, owner: Owner, news: Sequence[bytes]) -> bool:
        """See the protocol."""
        return bool(await self._run(scripts.SETTLE_LOST, str(by), str(owner), self._kept, *news))

    # ------------------------------------------------------------ leases

    async def take_lease(self, name: str, owner: Owner, ttl_s: float) -> int:
        """See the protocol."""
        return int(await self._run(scripts.TAKE_LEASE, name, str(owner), _ms(ttl_s)))

    async def keep_lease(self, name: str, owner: Owner, token: int, ttl_s: float) -> bool:
        """See the protocol."""
        return bool(await self._run(scripts.KEEP_LEASE, name, str(owner), token, _ms(ttl_s)))

    async def give_lease(self, name: str, owner: Owner, token: int) -> None:
        """See the protocol."""
        await self._run(scripts.GIVE_LEASE, name, str(owner), token)

    # ------------------------------------------------------------ bans

    async def put_notices(self, notices: Sequence[Notice]) -> None:
        """See the protocol."""
        flat = [word for notice in notices for word in (notice.host, _json.encode(notice))]
        if flat:
            await self._run(scripts.PUT_NOTICES, MOST_NOTICES, *flat)

    async def notices(self, since: str | None) -> Notices:
        """See the protocol."""
        version = (await self._asked(self._redis.get(self._key("bans:version"))) or b"").decode()
        if version == since:
            return Notices(version, None)
        rows = await self._asked(self._redis.hvals(self._key("bans")))
        return Notices(version, [notice for row in rows if (notice := _notice(row)) is not None])

    # ------------------------------------------------------------ phones

    async def put_phones(self, words: Sequence[PhoneWord]) -> None:
        """See the protocol."""
        if words:
            texts = [_json.encode(word) for word in words]
            await self._run(scripts.PUT_PHONES, MOST_PHONES, MOST_CONTACTS, CLOCKS_MS, *texts)

    async def phone_version(self) -> PhoneVersion:
        """See the protocol."""
        text = (await self._asked(self._redis.get(self._key("phones:version"))) or b"").decode()
        epoch, _, number = text.partition("|")
        return PhoneVersion(epoch, int(number) if number.isdecimal() else 0)

    async def phones(self, since: int, most: int) -> PhonePage:
        """See the protocol."""
        order = self._key("phones:order")
        found = await self._asked(
            self._redis.zrangebyscore(order, f"({since}", "+inf", start=0, num=most, withscores=True)
        )
        if not found:
            return PhonePage(0, ())
        lists = await self._asked(self._redis.hmget(self._key("phones"), [phone for phone, _ in found]))
        words = tuple(word for texts in lists if texts for word in _phone_words(texts))
        return PhonePage(int(found[-1][1]), words)

    # ------------------------------------------------------------ messages

    async def tell(self, messages: Sequence[bytes]) -> None:
        """See the protocol."""
        pipe = self._redis.pipeline(transaction=True)
        for message in messages:
            pipe.xadd(self._key("told"), {"m": message}, maxlen=self._kept, approximate=True)
        await self._asked(pipe.execute())

    def keep(self, messages: int) -> None:
        """See the protocol."""
        self._kept = messages

    async def send(self, owner: Owner, message: bytes) -> None:
        """See the protocol. Who is gone by now reads it no more, and nobody else would take it away."""
        pipe, stream = self._redis.pipeline(transaction=True), self._key(f"sent:{owner}")
        pipe.xadd(stream, {"m": message}, maxlen=_SENT_KEPT)
        pipe.expire(stream, _SENT_S)
        await self._asked(pipe.execute())

    async def read(self, owner: Owner, after: Positions, patience_s: float) -> Sequence[Delivered]:
        """See the protocol. Waits for less than the patience of the connection."""
        told, sent = self._key("told"), self._key(f"sent:{owner}")
        block_ms = max(1, min(_ms(patience_s), _ms(PATIENCE_S / 2)))
        streams = cast(Any, {told: after.all, sent: after.own})
        found = await self._asked(self._redis.xread(streams, count=READ_AT_MOST, block=block_ms))
        return [
            Delivered(position.decode(), stream.decode() == told, fields.get(b"m", b""))
            for stream, entries in found
            for position, fields in entries
        ]

    async def close(self) -> None:
        """See the protocol."""
        while self._asking:
            for asking in self._asking:
                asking.cancel()
            await asyncio.wait(self._asking, timeout=_CANCEL_AGAIN_S)
        await self._redis.aclose()

    # ------------------------------------------------------------ inside

    def _key(self, name: str) -> str:
        return self._prefix + name

    async def _run(self, script: str, *arguments: str | int | bytes) -> Any:
        run = self._scripts.get(script)
        if run is None:
            run = self._scripts[script] = self._redis.register_script(script)
        return await self._asked(run(keys=[self._prefix], args=list(arguments)))

    async def _asked(self, answer: Any) -> Any:
        """The answer, whose type the client does not tell; raises ProviderError where there is none.

        The client swallows a cancellation now and then, so a task of its own asks: whoever is cancelled, or has no
        time left, goes at once.
        """
        asking = asyncio.ensure_future(answer)
        self._asking.add(asking)
        asking.add_done_callback(self._asked_and_done)
        try:
            await asyncio.wait((asking,), timeout=2 * PATIENCE_S)
            if not asking.done():
                raise ProviderError("redis", "no answer in time", retryable=True)
            return asking.result()
        except (RedisError, OSError) as error:
            raise ProviderError("redis", str(error) or type(error).__name__, retryable=True) from error
        finally:
            asking.cancel()

    def _asked_and_done(self, asking: asyncio.Future[Any]) -> None:
        """An error is taken here, too: where nobody waits any more, none is reported as lost."""
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """What a node has written; raises ProviderError for what none of ours writes."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProviderError("redis", f"holds what is none of ours: {error}", retryable=True) from None


def _notice(data: bytes) -> Notice | None:
    """None for what a later version writes: a guard that does not know it goes by its own word."""
    try:
        return _notices.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _phone_words(texts: bytes) -> list[PhoneWord]:
    """Without what a later version writes."""
    words: list[PhoneWord] = []
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        for text in _texts.decode(texts):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                words.append(_word.decode(text))
    return words


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
