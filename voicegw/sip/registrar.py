"""A registrar: REGISTER in, bindings and an answer out (RFC 3261 §10.3, RFC 3327, RFC 5626 §6).

Who sends the REGISTER, and for whom they may, was settled before. A request is followed as a whole or not at all.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.bindings import AskedContact, Binding, read_contacts, read_expires
from voicegw.sip.grammar import is_fit, quote
from voicegw.sip.headers import CSeq
from voicegw.sip.message import Request
from voicegw.sip.path import keeps_flows, read_path
from voicegw.sip.reply import Pairs


@dataclass(frozen=True, slots=True)
class RegistrarLimits:
    """What is granted; times in seconds."""

    default_s: int = 3600
    """To those who ask for no time."""
    min_s: int = 60
    """Who asks for less gets 423 and this (RFC 3261 §10.3)."""
    max_s: int = 7200
    """Who asks for more gets this."""
    contacts: int = 10
    """Of one user at once."""
    bindings: int = 20_000
    """Of all users at once."""


@dataclass(frozen=True, slots=True)
class Registered:
    """How a REGISTER is answered, and the user's bindings before and after. ``ended``: what it takes back, known or
    not."""

    status: int
    headers: Pairs
    before: tuple[Binding, ...] = ()
    after: tuple[Binding, ...] = ()
    ended: tuple[Binding, ...] = ()


class Registrar:
    """All bindings by user name, in memory. Times are monotonic seconds."""

    def __init__(self, limits: RegistrarLimits) -> None:
        self.limits = limits
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._count = 0
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return self._count

    def users(self) -> list[str]:
        """Who has a binding, or had one until a moment ago."""
        return list(self._bindings)

    def bindings(self, user: str, now: float) -> tuple[Binding, ...]:
        """Where ``user`` is now, the preferred contact first."""
        alive = [one for one in self._bindings.get(user, ()) if one.expires_at > now]
        return tuple(sorted(alive, key=lambda one: -one.q))

    def register(self, user: str, request: Request, source: Address, now: float) -> Registered:
        """Follow a REGISTER of ``user``; without a Contact it only asks."""
        before = self.bindings(user, now)
        try:
            after, ended = self._changed(before, request, source, now)
        except _Refused as refused:
            return Registered(refused.status, refused.headers, before, before)
        except RemoteProtocolError as error:
            return Registered(error.status_hint, (), before, before)
        if self._count - len(self._bindings.get(user, ())) + len(after) > self.limits.bindings:
            return Registered(503, (("Retry-After", "60"),), before, before)
        self._keep(user, after)
        return Registered(200, _describe(after, request, now), before, after, ended)

    def restore(self, user: str, bindings: tuple[Binding, ...]) -> None:
        """Take back what was stored before a restart, or what other nodes know."""
        self._keep(user, bindings)

    def remove(self, user: str) -> tuple[Binding, ...]:
        """Forget a user; returns what was bound."""
        before = self._bindings.get(user, ())
        self._keep(user, ())
        return before

    def drop(self, user: str, binding: Binding) -> bool:
        """Forget one binding, whose phone is gone; False if it has been replaced meanwhile."""
        bound = self._bindings.get(user, ())
        if binding not in bound:
            return False
        self._keep(user, tuple(one for one in bound if one is not binding and one != binding))
        return True

    def move(self, user: str, binding: Binding, source: Address) -> bool:
        """A binding is reached by another way from now on; False if it has been replaced meanwhile."""
        bound = self._bindings.get(user, ())
        if binding not in bound:
            return False
        self._keep(user, tuple(replace(one, source=source) if one == binding else one for one in bound))
        return True

    # ---------------------------------------------------------------- time

    def next_expiry(self) -> float | None:
        """When :meth:`expire` is due next."""
        return self._deadlines[0][0] if self._deadlines else None

    def expire(self, now: float) -> list[tuple[str, tuple[Binding, ...]]]:
        """Forget what is over; returns users with what they lost."""
        lost: list[tuple[str, tuple[Binding, ...]]] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, user = heapq.heappop(self._deadlines)
            bound = self._bindings.get(user, ())
            over = tuple(one for one in bound if one.expires_at <= now)
            if over:
                self._keep(user, tuple(one for one in bound if one.expires_at > now))
                lost.append((user, over))
        return lost

    # ---------------------------------------------------------------- inside

    def _keep(self, user: str, bindings: tuple[Binding, ...]) -> None:
        self._count += len(bindings) - len(self._bindings.pop(user, ()))
        if bindings:
            self._bindings[user] = bindings
            heapq.heappush(self._deadlines, (min(one.expires_at for one in bindings), user))
        if len(self._deadlines) > 64 + 4 * len(self._bindings):  # those of bindings that were renewed since
            self._deadlines = [(min(one.expires_at for one in all_), name) for name, all_ in self._bindings.items()]
            heapq.heapify(self._deadlines)

    def _changed(
        self, before: tuple[Binding, ...], request: Request, source: Address, now: float
    ) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
        """The bindings after ``request``, and those that it takes back. Raises _Refused or RemoteProtocolError, and
        then nothing changes."""
        headers = request.headers
        call_id = headers.get("Call-ID") or ""
        cseq = CSeq.parse(headers.get("CSeq") or "").number
        expires = read_expires(headers.get("Expires"))
        asked = read_contacts(headers)
        if "*" in headers.values("Contact"):
            if asked or expires != 0 or len(headers.values("Contact")) != 1:
                raise _Refused(400)
            for one in before:
                _check_order(one, call_id, cseq)
            return (), before
        path, agent = read_path(headers.values("Path")), headers.get("User-Agent") or ""
        after, ended = list(before), list[Binding]()
        for contact in asked:
            granted = self._grant(contact, expires)
            fresh = Binding(
                contact.uri,
                source,
                now + granted,
                call_id,
                cseq,
                contact.q,
                path,
                contact.instance,
                contact.reg_id,
                agent[:100] if is_fit(agent) else "",
            )
            for old in [one for one in after if one.is_same_contact(fresh)]:
                _check_order(old, call_id, cseq)
                after.remove(old)
            (after if granted else ended).append(fresh)
        if len(after) > self.limits.contacts:
            raise _Refused(403)
        return tuple(after), tuple(ended)

    def _grant(self, contact: AskedContact, expires: int | None) -> int:
        asked = contact.expires if contact.expires is not None else expires
        wanted = self.limits.default_s if asked is None else asked
        if 0 < wanted < self.limits.min_s:
            raise _Refused(423, (("Min-Expires", str(self.limits.min_s)),))
        return min(wanted, self.limits.max_s)


class _Refused(Exception):
    """A REGISTER that changes nothing."""

    def __init__(self, status: int, headers: Pairs = ()) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


def _check_order(old: Binding, call_id: str, cseq: int) -> None:
    """A request that was overtaken by a later one of the same phone is refused (§10.3 step 7)."""
    if old.call_id == call_id and cseq <= old.cseq:
        raise _Refused(500)


def _describe(bindings: tuple[Binding, ...], request: Request, now: float) -> Pairs:
    """The headers of the 200: every contact that is bound, and the path that will be taken (RFC 3327 §5.3)."""
    pairs: list[tuple[str, str]] = []
    for one in bindings:
        params = f";expires={max(0, round(one.expires_at - now))}"
        if one.q != 1000:
            params += f";q={one.q / 1000:g}"
        if one.instance:
            params += f";+sip.instance={quote(one.instance)}"
        if one.reg_id:
            params += f";reg-id={one.reg_id}"
        pairs.append(("Contact", f"<{one.contact}>{params}"))
    options = {option.lower() for option in request.headers.values("Supported")}
    if "path" in options:
        pairs += [("Path", value) for value in request.headers.values("Path")]
    has_flow = any(one.reg_id and one.instance for one in bindings)
    if "outbound" in options and has_flow and keeps_flows(request.headers.values("Path")):
        pairs.append(("Require", "outbound"))
    return tuple(pairs)
