"""Asking others who they are, and checking what they say (RFC 3261 §22.4, RFC 7616 §3.3 and §5, RFC 8760).

Nobody learns from the answers or from their time whether a user exists: a stranger and a user with a wrong password
get the same challenge, after the same work. Who fails too often is not listened to for a while.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.sip.address import Address
from voicegw.sip.auth_headers import AuthHeader, parse_auth, write_auth
from voicegw.sip.digest import Algorithm, Proof, parse_algorithm
from voicegw.sip.failures import FailureLimits, FailureRation
from voicegw.sip.grammar import from_wire
from voicegw.sip.message import Headers, Request
from voicegw.sip.nonces import Nonces, SharedNonces
from voicegw.sip.reply import Pairs

FindHa1: TypeAlias = Callable[[str, Algorithm], str | None]
"""(user name, algorithm) to HA1 within the realm; None for somebody unknown."""
_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}")
_HEX: Final = re.compile(r"[0-9a-fA-F]*")


@dataclass(frozen=True, slots=True)
class DigestPolicy:
    """How a server asks."""

    realm: str
    """What passwords are for; people see it, and every stored HA1 depends on it."""
    algorithms: tuple[Algorithm, ...] = (Algorithm.SHA_256, Algorithm.MD5)
    """What is offered, the preferred one first. Many phones know nothing but MD5."""
    md5_only: tuple[str, ...] = ()
    """Parts of the User-Agent of those who fail at a challenge that they do not know. They are asked for MD5 alone,
    where MD5 is offered at all."""
    nonce_life_s: float = 300.0
    """After that a nonce is stale and a new one is given with it."""
    failures: FailureLimits = field(default_factory=FailureLimits)
    """Wrong passwords of one source."""


class Trial(Enum):
    """What a request showed of who sent it."""

    ASKED = auto()
    """Nothing: it is asked, as it is for the first request of every phone."""
    RIGHT = auto()
    STALE = auto()
    """The password was right, the nonce old, used or another's; it is asked again."""
    WRONG = auto()
    """Wrong, or not looked at after too many that were wrong."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The request comes from this user."""

    username: str


@dataclass(frozen=True, slots=True)
class Unproven:
    """To be answered with ``status`` and ``headers``: 401 or 407 with challenges, or 503 for one who guesses."""

    status: int
    headers: Pairs
    trial: Trial = Trial.ASKED
    """Why it is not proven."""

    @property
    def failed(self) -> bool:
        """Whether something was wrong, rather than missing or stale."""
        return self.trial is Trial.WRONG


class DigestServer:
    """Checks the requests for one realm. Not thread-safe.

    ``shared``: a challenge of one server may be answered at any other that has the same; None: here alone.
    """

    def __init__(
        self, policy: DigestPolicy, find: FindHa1, random: RandomBytes, shared: SharedNonces | None = None
    ) -> None:
        self._policy = policy
        self._find = find
        self._decoy = random(16).hex()
        self._nonces = _nonces(policy, random, shared)
        self._failures = FailureRation(policy.failures)

    def use(self, policy: DigestPolicy) -> None:
        """Ask in another way from now on. What an address has used up of its failures stays."""
        self._policy = policy
        self._nonces.realm, self._nonces.life_s = policy.realm, policy.nonce_life_s
        self._failures.limits = policy.failures

    def check(self, request: Request, source: Address, now: float, *, as_proxy: bool = False) -> Proven | Unproven:
        """Who sent ``request``. ``as_proxy`` asks with 407 where a 401 would be taken for the far end's."""
        given = self._credentials(request.headers, "Proxy-Authorization" if as_proxy else "Authorization")
        if given is None:
            return self._ask(request, source, now, as_proxy, Trial.ASKED)
        wait_s = self._failures.wait_s(source.host, now)
        if wait_s > 0:
            return Unproven(503, (("Retry-After", str(int(wait_s) + 1)),), Trial.WRONG)
        if self._nonces.age_s(given.get("nonce"), source.host, now) is None:
            # Of before a restart, or of who forges this address and saw no challenge for it: nobody's failure.
            return self._ask(request, source, now, as_proxy, Trial.ASKED, stale=True)
        proof = self._read(given, request)
        if proof is None or not self._is_right(given, proof):
            self._failures.fail(source.host, now)
            return self._ask(request, source, now, as_proxy, Trial.WRONG)
        count = int(proof.nc, 16) if proof.qop else 1
        if not self._nonces.use(proof.nonce, count, source.host, now):
            return self._ask(request, source, now, as_proxy, Trial.STALE)
        return Proven(from_wire(given.get("username")))

    # ---------------------------------------------------------------- asking

    def ask(self, request: Request, source: Address, now: float) -> Unproven:
        """A challenge as everybody gets, whatever ``request`` says."""
        return self._ask(request, source, now, False, Trial.ASKED)

    def _ask(
        self,
        request: Request,
        source: Address,
        now: float,
        as_proxy: bool,
        why: Trial,
        *,
        stale: bool = False,
    ) -> Unproven:
        """A challenge for each algorithm with one nonce, each in a line of its own (RFC 8760 §2.3)."""
        nonce = self._nonces.make(source.host, now)
        name = "Proxy-Authenticate" if as_proxy else "WWW-Authenticate"
        stale = stale or why is Trial.STALE
        lines = tuple((name, self._challenge(kind, nonce, stale=stale)) for kind in self._offered(request.headers))
        return Unproven(407 if as_proxy else 401, lines, why)

    def _offered(self, headers: Headers) -> tuple[Algorithm, ...]:
        """RFC 7616 §3.7 lets a client pass over what it does not know; some fail instead."""
        agent, algorithms = headers.get("User-Agent") or "", self._policy.algorithms
        is_simple = any(part in agent for part in self._policy.md5_only)
        return (Algorithm.MD5,) if is_simple and Algorithm.MD5 in algorithms else algorithms

    def _challenge(self, kind: Algorithm, nonce: str, *, stale: bool) -> str:
        params = {"realm": self._policy.realm, "nonce": nonce, "qop": "auth", "algorithm": kind.value}
        if stale:
            params["stale"] = "true"
        return write_auth(AuthHeader("Digest", params), quoted=frozenset({"qop"}))

    # ---------------------------------------------------------------- checking

    def _credentials(self, headers: Headers, name: str) -> AuthHeader | None:
        """The credentials for our realm; others are for others on the way (§22.3)."""
        for line in headers.get_all(name):
            try:
                parsed = parse_auth(line)
            except RemoteProtocolError:
                continue
            if len(parsed) == 1 and parsed[0].is_digest and parsed[0].get("realm") == self._policy.realm:
                return parsed[0]
        return None

    def _read(self, given: AuthHeader, request: Request) -> Proof | None:
        """What the digest is made of; None where it cannot be right.

        The URI is the one that the digest was made with: proxies rewrite the Request-URI, and a nonce is taken but
        once, so that a digest which somebody overheard opens nothing with either.
        """
        known = parse_algorithm(given.get("algorithm"))
        if known is None or known[0] not in self._policy.algorithms:
            return None
        qop, count, cnonce = given.get("qop").lower(), given.get("nc"), given.get("cnonce")
        if qop not in ("", "auth", "auth-int") or (qop and not (_COUNT.fullmatch(count) and cnonce)):
            return None
        if known[1] and not qop:
            return None
        uri, nonce, body = given.get("uri"), given.get("nonce"), request.body
        return Proof(known[0], known[1], nonce, request.method, uri, qop, count, cnonce, body)

    def _is_right(self, given: AuthHeader, proof: Proof) -> bool:
        """The same steps for a user who exists and for one who does not."""
        said = given.get("response")
        username = from_wire(given.get("username"))
        decoy = proof.algorithm.hash(f"{self._decoy}:{given.get('username')}")
        kept = self._find(username, proof.algorithm)
        right = proof.response(decoy if kept is None else kept)
        fits = _HEX.fullmatch(said) is not None and hmac.compare_digest(right, said.lower())
        return fits and kept is not None


def _nonces(policy: DigestPolicy, random: RandomBytes, shared: SharedNonces | None) -> Nonces:
    if shared is None:
        return Nonces(random(32), policy.realm, policy.nonce_life_s)
    maker = int.from_bytes(random(4), "big")
    return Nonces(shared.key, policy.realm, policy.nonce_life_s, maker=maker, wall_ahead_s=shared.wall_ahead_s)
