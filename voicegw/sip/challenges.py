"""Answering challenges: which one, with whose credentials, and how often (RFC 3261 §22.1, RFC 7616 §3.3, RFC 8760).

Credentials belong to an account: the name under which a call was dialled or a registration made. What carries no
account, such as a call that somebody made to us, answers no challenge at all: a caller who challenged our BYE would
otherwise be given a digest to try passwords on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import RandomBytes, token
from voicegw.sip.address import Address
from voicegw.sip.auth_headers import AuthHeader, parse_auth, write_auth
from voicegw.sip.digest import Algorithm, Credentials, Proof, parse_algorithm
from voicegw.sip.grammar import to_wire
from voicegw.sip.message import Headers, Request, Response

FindCredentials: TypeAlias = Callable[[str, str, Address], Credentials | None]
"""(account, realm, where the request went) to credentials; None leaves the challenge unanswered.

Hosts that a far end named in a call are never asked about: they get nothing.
"""
MAX_ROUNDS: Final = 5
"""Challenges that one request answers: a server, the proxies before it, and a stale nonce or two."""
MAX_REALMS: Final = 4
"""Challengers that are answered in one request."""
MAX_PLACES: Final = 1024
"""Accounts and addresses whose challenges are remembered, so that the next request need not be challenged."""
_CHALLENGES: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


def no_credentials(_account: str, _realm: str, _destination: Address) -> Credentials | None:
    """For a user agent that has none."""
    return None


class Permit:
    """A request's right to answer challenges, and which it has answered.

    ``next_cseq`` gives the number for the next try from that of the last one; a dialog has a count of its own.
    """

    __slots__ = ("account", "next_cseq", "answered", "rounds")

    def __init__(self, account: str, next_cseq: Callable[[int], int] = lambda number: number + 1) -> None:
        self.account = account
        self.next_cseq = next_cseq
        self.answered: dict[tuple[str, str], str] = {}
        """(header, realm) to the nonce that was answered last."""
        self.rounds = 0


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge that we can answer. ``header`` is where the answer goes."""

    header: str
    realm: str
    nonce: str
    algorithm: Algorithm
    algorithm_token: str
    is_session: bool
    qop: str
    opaque: str | None
    stale: bool


@dataclass(slots=True)
class _Kept:
    """A challenge and how often its nonce was used. ``cnonce`` stays, because ``-sess`` hashes the first one."""

    challenge: Challenge
    credentials: Credentials
    cnonce: str
    used: int = 0


class Authenticator:
    """Writes Authorization and Proxy-Authorization, for challenges and ahead of them."""

    def __init__(self, find: FindCredentials, random: RandomBytes) -> None:
        self._find = find
        self._random = random
        self._kept: OrderedDict[tuple[str, Address], dict[tuple[str, str], _Kept]] = OrderedDict()

    def sign(self, permit: Permit, request: Request, destination: Address) -> Request:
        """Give ``request`` what the same destination asked for the last time, so that it need not ask again."""
        kept = self._kept.get(_place(permit, destination))
        if not kept:
            return request
        return _with_credentials(request, [(key[0], self._answer(one, request)) for key, one in kept.items()])

    def answer(self, permit: Permit, request: Request, response: Response, destination: Address) -> Request | None:
        """The request again with credentials; None where there are none, or where they have been refused.

        A challenger gets one answer a nonce, and a second nonce is answered only if the first was stale: the same
        credentials would be refused again (RFC 7616 §3.3).
        """
        if permit.rounds >= MAX_ROUNDS:
            return None
        permit.rounds += 1
        place = _place(permit, destination)
        kept = self._kept.get(place, {})
        challenges = strongest(read_challenges(response))
        if not [one for one in challenges if self._take(permit, one, destination, kept)]:
            for one in challenges:
                kept.pop((one.header, one.realm), None)  # refused: not to be sent ahead of a challenge either
            return None
        self._kept[place] = kept
        self._kept.move_to_end(place)
        while len(self._kept) > MAX_PLACES:
            self._kept.popitem(last=False)
        return self.sign(permit, request, destination)

    def forget(self, account: str) -> None:
        """Credentials of an account have changed, or the account is gone."""
        for place in [place for place in self._kept if place[0] == account]:
            del self._kept[place]

    def _take(
        self, permit: Permit, one: Challenge, destination: Address, kept: dict[tuple[str, str], _Kept]
    ) -> bool:
        """Note a challenge that is to be answered."""
        key = (one.header, one.realm)
        before = permit.answered.get(key)
        if before is not None and (before == one.nonce or not one.stale):
            return False
        if key not in kept and len(kept) >= MAX_REALMS:
            return False
        credentials = self._find(permit.account, one.realm, destination)
        if credentials is None or credentials.secret(one.algorithm, one.realm) is None:
            return False
        permit.answered[key] = one.nonce
        kept[key] = _Kept(one, credentials, token(self._random, 16))
        return True

    def _answer(self, kept: _Kept, request: Request) -> str:
        one = kept.challenge
        kept.used += 1
        nc = f"{kept.used:08x}"
        proof = Proof(
            one.algorithm,
            one.is_session,
            one.nonce,
            request.method,
            request.uri,
            one.qop,
            nc,
            kept.cnonce,
            request.body,
        )
        params = {
            "username": to_wire(kept.credentials.username),
            "realm": one.realm,
            "nonce": one.nonce,
            "uri": request.uri,
            "response": proof.response(kept.credentials.secret(one.algorithm, one.realm) or ""),
        }
        if one.algorithm_token:
            params["algorithm"] = one.algorithm_token
        if one.qop:
            params |= {"cnonce": kept.cnonce, "qop": one.qop, "nc": nc}
        if one.opaque is not None:
            params["opaque"] = one.opaque
        return write_auth(AuthHeader("Digest", params))


def read_challenges(response: Response) -> list[Challenge]:
    """The challenges of a 401 or 407 that we understand, in the order of the headers.

    Proxies that fork gather the challenges of several servers, so a 401 may carry Proxy-Authenticate, too (§22.3).
    """
    if response.status not in _CHALLENGES:
        return []
    return [
        challenge
        for asked, header in _CHALLENGES.values()
        for auth in _parsed(response.headers.get_all(asked))
        if (challenge := _understood(auth, header)) is not None
    ]


def strongest(challenges: list[Challenge]) -> list[Challenge]:
    """One for each challenger: the strongest algorithm, and of equal ones the first (RFC 8760 §2.4).

    A server lists what it likes best first, but an attacker on the way may have turned the list round.
    """
    best: dict[tuple[str, str], Challenge] = {}
    for one in challenges:
        key = (one.header, one.realm)
        if key not in best or one.algorithm.strength > best[key].algorithm.strength:
            best[key] = one
    return list(best.values())


def _parsed(lines: tuple[str, ...]) -> Iterator[AuthHeader]:
    for line in lines:
        try:
            yield from parse_auth(line)
        except RemoteProtocolError:
            continue  # the other challenges may be whole


def _understood(auth: AuthHeader, header: str) -> Challenge | None:
    known = parse_algorithm(auth.get("algorithm"))
    if not auth.is_digest or known is None or "realm" not in auth.params or not auth.get("nonce"):
        return None
    algorithm, is_session = known
    qop = _choose_qop(auth.params.get("qop"))
    if qop is None or (is_session and not qop):
        return None  # without qop there is no cnonce, and -sess needs one
    return Challenge(
        header=header,
        realm=auth.get("realm"),
        nonce=auth.get("nonce"),
        algorithm=algorithm,
        algorithm_token=auth.get("algorithm"),
        is_session=is_session,
        qop=qop,
        opaque=auth.params.get("opaque"),
        stale=auth.is_true("stale"),
    )


def _choose_qop(offered: str | None) -> str | None:
    """``auth`` before ``auth-int``, which every box that rewrites a body breaks; None if neither is offered."""
    if offered is None:
        return ""
    options = [option.strip().lower() for option in offered.split(",")]
    return next((known for known in ("auth", "auth-int") if known in options), None)


def _place(permit: Permit, destination: Address) -> tuple[str, Address]:
    return permit.account, destination._replace(flow=0)


def _with_credentials(request: Request, pairs: list[tuple[str, str]]) -> Request:
    headers = request.headers.without("Authorization").without("Proxy-Authorization")
    for name, value in pairs:
        headers = headers.add(name, value)
    return Request(request.method, request.uri, headers, request.body)


def credentials_of(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The credentials that an INVITE was sent with, for its ACK: nobody can challenge that (§22.1)."""
    names = ("Authorization", "Proxy-Authorization")
    return tuple((name, value) for name in names for value in headers.get_all(name))
