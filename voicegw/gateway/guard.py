"""Who is heard at the SIP port: what an address may send before anything of it is parsed.

Pure policy: addresses, bytes and ``now`` in, verdicts out. A parsed request costs many times what a dropped one
does, so a flood has to end here. Three kinds of addresses: those of trunks, which have a rate of their own; those
that have a call with us or had one lately, and so are who they say they are; and strangers, who share what is left.
A stranger that calls itself a scanner, is refused again and again, guesses passwords or walks through names gets
silence for a while: an answer would tell it that somebody lives here.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from voicegw.base.metrics import Counters
from voicegw.gateway.balancers import Balancers, Network
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.proof_tally import ProofTally
from voicegw.gateway.token_bucket import Rate, TokenBucket
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter
from voicegw.sip.digest_server import Trial
from voicegw.sip.incoming import Incoming

PROBING = frozenset({400, 403, 404, 405, 410, 416, 420, 481, 484, 485, 501, 604})
"""Refusals that a peer with an honest errand rarely collects."""
_MOST_SOURCES = 10_000
"""Strangers remembered at once, twice over; forgetting one costs its bucket, which was probably full again."""
_MOST_BANS = 10_000
_TRUNKS_CACHED = 4096
_ORDINARY_BYTES = 2048
"""A stranger's message counts once for each piece of this size: long ones cost more to read."""
UNLIMITED = Rate(1e9, 1e9)


class BanReason(Enum):
    """Why an address gets no answer."""

    SCANNER = "it names a scanner in User-Agent"
    REFUSALS = "it was refused again and again"
    GUESSING = "it answered challenges wrongly again and again"
    UNANSWERED = "it was asked who it is again and again, and never said"
    FLOOD = "it went on far beyond its rate"
    ORDERED = "an administrator said so"
    ELSEWHERE = "another node said so, for a reason that this one does not know"


class Ban(NamedTuple):
    """An address that gets silence, until ``until`` in monotonic seconds."""

    host: str
    reason: BanReason
    until: float


@dataclass(frozen=True, slots=True)
class GuardSnapshot:
    """What the guard knows now, for people."""

    acquainted: int
    """Addresses with a call, or with one lately."""
    strangers: int
    bans: tuple[Ban, ...]


class _Stranger:
    """What is remembered of one address: its bucket, how much came on top, and how often it was refused."""

    __slots__ = ("bucket", "excess", "refusals")

    def __init__(self, rate: Rate, refusals: Rate, now: float) -> None:
        self.bucket = TokenBucket(rate, now)
        self.refusals = TokenBucket(refusals, now)
        self.excess = 0


class Guard:
    """``rate_of`` names the rate of a trunk's address, None for an address of no trunk; it is asked once for each
    address until :meth:`forget_trunks`. ``on_ban`` is told of each ban."""

    def __init__(
        self,
        config: GuardConfig,
        counters: Counters,
        on_ban: Callable[[Ban], None] = lambda _ban: None,
        rate_of: Callable[[str], Rate | None] = lambda _host: None,
    ) -> None:
        self._config = config
        self._counters = counters
        self._on_ban = on_ban
        self._rate_of = rate_of
        self._balancers = Balancers(config.balancers)
        self._networks = _networks(config)
        self._trunk = lru_cache(maxsize=_TRUNKS_CACHED)(self._find_trunk)
        self._rations: dict[str, TokenBucket] = {}
        """Of trunks: other trunks begin no ration anew."""
        self._strangers: dict[str, _Stranger] = {}
        self._older: dict[str, _Stranger] = {}
        self._acquainted: dict[str, tuple[float, TokenBucket]] = {}
        self._calls: Counter[str] = Counter()
        self._bans: dict[str, Ban] = {}
        self._room_at = 0.0
        """Before that none of them is over, if there were too many."""
        self._tally = ProofTally(config)
        self._all_strangers = TokenBucket(config.strangers, 0.0)
        self.on_own: Callable[[Ban], None] = lambda _ban: None
        """Told of bans that were decided here, not of those by :meth:`shun`."""
        self.on_pardon: Callable[[str], bool] = lambda _host: False
        """Told of a pardon that was ordered here; whether anybody else ignored the address."""
        self._now = 0.0
        """The time of the latest message, which is exact enough for what lasts an hour."""

    def use(self, config: GuardConfig) -> None:
        """Lists, times and rates of a changed configuration, from the next message on. Bans last as long as they
        were to, and nobody's ration begins anew."""
        if (config.trusted, config.balancers) != (self._config.trusted, self._config.balancers):
            self._balancers = Balancers(config.balancers)
            self._networks = _networks(config)
            self.forget_trunks()
        self._config = config
        self._tally.use(config)
        self._all_strangers.rate = config.strangers
        for stranger in chain(self._strangers.values(), self._older.values()):
            stranger.bucket.rate, stranger.refusals.rate = config.stranger, config.refusal_rate
        for _, bucket in self._acquainted.values():
            bucket.rate = config.acquainted

    # ---------------------------------------------------------------- before parsing

    def admits(self, data: bytes, source: Address, now: float) -> bool:
        """Whether a message may be read at all. What is not is counted and forgotten."""
        host, self._now = source.host, now
        if (bucket := self._trunk(host)) is not None:
            return bucket.take(now) or self._drop(SipCounter.GUARD_RATE)
        if self._bans and self._is_banned(host, now):
            return self._drop(SipCounter.GUARD_BANNED)
        known = self._acquainted.get(host)
        if known is not None and (now < known[0] or host in self._calls):
            return known[1].take(now) or self._drop(SipCounter.GUARD_RATE)
        return self._admits_stranger(data, host, now)

    def _admits_stranger(self, data: bytes, host: str, now: float) -> bool:
        stranger = self._stranger(host, now)
        messages = 1 + len(data) // _ORDINARY_BYTES
        if not stranger.bucket.take(now, messages):
            stranger.excess += 1
            if stranger.excess >= self._config.flood_messages:
                self._ban(host, BanReason.FLOOD, now)
            return self._drop(SipCounter.GUARD_RATE)
        if stranger.bucket.is_full:
            stranger.excess = 0
        if names_scanner(data, self._config.scanners):
            self._ban(host, BanReason.SCANNER, now)
            return self._drop(SipCounter.GUARD_BANNED)
        return self._all_strangers.take(now, messages) or self._drop(SipCounter.GUARD_STRANGERS)

    def turns_away(self, source: Address, now: float) -> bool:
        """Whether a connection from there is closed as it is accepted: nothing by it would be read."""
        away = bool(self._bans) and self._trunk(source.host) is None and self._is_banned(source.host, now)
        return away and not self._drop(SipCounter.GUARD_BANNED)

    # ---------------------------------------------------------------- behind a balancer

    def sender(self, incoming: Incoming) -> Address:
        """Who sent a request: its source, or whom a balancer names."""
        return self._balancers.sender(incoming)

    def is_balancer(self, host: str) -> bool:
        """Whether this is the address of a proxy that is believed what it says of others."""
        return self._balancers.has(host)

    def ignores_sender(self, incoming: Incoming, now: float) -> float:
        """Seconds for which whom a balancer names is banned still, 0 for nobody. It is told: to a balancer silence
        is the death of a node."""
        host = self.sender(incoming).host
        if host == incoming.source.host or self._trunk(host) is not None or not self._is_banned(host, now):
            return 0.0
        return self._bans[host].until - now

    # ---------------------------------------------------------------- what becomes of them

    def is_known(self, source: Address) -> bool:
        """Whether an address is more than a stranger: a trunk's, or one that has or had a call with us."""
        return self.has_met(source) or self._trunk(source.host) is not None

    def has_met(self, source: Address) -> bool:
        """Whether an address has a call with us, or had one lately; being a trunk's or trusted is not enough."""
        known = self._acquainted.get(source.host)
        return known is not None and (self._now < known[0] or source.host in self._calls)

    def acquaint(self, source: Address) -> None:
        """A call with this address is up, or we call it: it is not forged, and no stranger from now on."""
        self._calls[source.host] += 1
        self.remember(source)

    def part(self, source: Address) -> None:
        """What :meth:`acquaint` was told of is over; the address is remembered for a while."""
        host = source.host
        self._calls[host] -= 1
        if self._calls[host] <= 0:
            del self._calls[host]
        self.remember(source)

    def remember(self, source: Address) -> None:
        """This address has shown that it is not forged, by a call or a registration."""
        host = source.host
        if host not in self._acquainted and len(self._acquainted) >= _MOST_SOURCES:
            self._forget_acquaintances()
        _, bucket = self._acquainted.get(host) or (0.0, TokenBucket(self._config.acquainted, self._now))
        self._acquainted[host] = (self._now + self._config.acquainted_s, bucket)
        self._strangers.pop(host, None)
        self._older.pop(host, None)

    def note_answer(self, status: int, destination: Address, now: float) -> None:
        """An answer of ours is on its way: refusals add up."""
        host = destination.host
        if status not in PROBING or self._trunk(host) is not None or host in self._calls:
            return
        if not self._stranger(host, now).refusals.take(now):
            self._ban(host, BanReason.REFUSALS, now)

    def note_trial(self, trial: Trial, incoming: Incoming, now: float) -> None:
        """A phone had to say who it is: what came of it. Guesses add up, and so do challenges without an answer.

        Whoever has a call is not banned for it, but counted: a call is no leave to guess.
        """
        if trial is Trial.ASKED:
            self._counters.add(SipCounter.PHONES_ASKED)
        elif trial is Trial.WRONG:
            self._counters.add(SipCounter.PHONES_WRONG)
        host, question = self.sender(incoming).host, (incoming.call_id, incoming.request.headers.get("To") or "")
        if self._trunk(host) is not None:
            return
        if self._tally.note(trial, host, question, now) and host not in self._calls:
            self._ban(host, BanReason.UNANSWERED if trial is Trial.ASKED else BanReason.GUESSING, now)

    def forget_trunks(self) -> None:
        """Ask ``rate_of`` anew: the trunks have changed."""
        self._trunk.cache_clear()

    def ban(self, host: str, now: float, seconds: float) -> bool:
        """Ignore an address for so long; False for a trunk's or a trusted one, which is heard whatever happens."""
        if self._trunk(host) is not None:
            return False
        self._ban(host, BanReason.ORDERED, now, seconds)
        return host in self._bans

    def pardon(self, host: str) -> bool:
        """Lift the ban of an address, here and wherever else it holds; false if there is none."""
        elsewhere = self.on_pardon(host)
        return self.forgive(host) or elsewhere

    def shun(self, host: str, reason: BanReason, now: float, seconds: float) -> bool:
        """Ignore an address on another node's word; False for those that are never ignored, and for one that has a
        call here: that one is no stranger to us."""
        if self._trunk(host) is not None or host in self._calls:
            return False
        return self._enter(Ban(host, reason, now + seconds), now)

    def forgive(self, host: str) -> bool:
        """Lift a ban here, on another node's word; false if there is none."""
        self._tally.forget(host)
        return self._bans.pop(host, None) is not None

    def snapshot(self, now: float) -> GuardSnapshot:
        """What is known now."""
        bans = tuple(ban for ban in list(self._bans.values()) if now < ban.until)
        return GuardSnapshot(len(self._acquainted), len(self._strangers) + len(self._older), bans)

    # ---------------------------------------------------------------- inside

    def _find_trunk(self, host: str) -> TokenBucket | None:
        """The bucket of a trusted address or a trunk's; None for any other."""
        address = ipaddress.ip_address(host)
        trusted = any(address in network for network in self._networks)
        rate = UNLIMITED if trusted else self._rate_of(host)
        if rate is None:
            return None
        if len(self._rations) >= _TRUNKS_CACHED:
            self._rations.clear()
        ration = self._rations.setdefault(host, TokenBucket(rate, 0.0))
        ration.rate = rate
        return ration

    def _stranger(self, host: str, now: float) -> _Stranger:
        """Two generations: the older one is dropped when the younger one is full, whoever fills it."""
        found = self._strangers.get(host)
        if found is None:
            found = self._older.pop(host, None) or _Stranger(self._config.stranger, self._config.refusal_rate, now)
            if len(self._strangers) >= _MOST_SOURCES:
                self._older, self._strangers = self._strangers, {}
            self._strangers[host] = found
        return found

    def _forget_acquaintances(self) -> None:
        """Those that have no call and were not heard of for the longest time."""
        idle = [host for host in self._acquainted if host not in self._calls]
        for host in sorted(idle, key=lambda host: self._acquainted[host][0])[: _MOST_SOURCES // 4]:
            del self._acquainted[host]

    def _is_banned(self, host: str, now: float) -> bool:
        ban = self._bans.get(host)
        if ban is None:
            return False
        if now < ban.until:
            return True
        del self._bans[host]
        return False

    def _ban(self, host: str, reason: BanReason, now: float, seconds: float = 0.0) -> None:
        ban = Ban(host, reason, now + (seconds or self._config.ban_s))
        if self._enter(ban, now):
            self._counters.add(SipCounter.GUARD_BANS)
            self.on_own(ban)

    def _enter(self, ban: Ban, now: float) -> bool:
        if len(self._bans) >= _MOST_BANS and not self._make_room(now):
            return False
        self._bans[ban.host] = ban
        self._acquainted.pop(ban.host, None)
        self._strangers.pop(ban.host, None)
        self._on_ban(ban)
        return True

    def _make_room(self, now: float) -> bool:
        """Forget bans that are over. Looked for when the first one may be: not for each message of a flood."""
        if now < self._room_at:
            return False
        self._bans = {host: ban for host, ban in self._bans.items() if now < ban.until}
        self._room_at = min((ban.until for ban in self._bans.values()), default=now)
        return len(self._bans) < _MOST_BANS

    def _drop(self, counter: SipCounter) -> bool:
        self._counters.add(counter)
        return False


def _networks(config: GuardConfig) -> list[Network]:
    """Without limits."""
    return [ipaddress.ip_network(network, strict=False) for network in (*config.trusted, *config.balancers)]


def names_scanner(data: bytes, scanners: tuple[str, ...]) -> bool:
    """Whether the User-Agent header holds one of these names, in lower case."""
    head = data[:4096].lower()
    at = head.find(b"\nuser-agent")
    if at < 0:
        return False
    line = head[at : head.find(b"\n", at + 1)]
    return any(name.encode() in line for name in scanners)
