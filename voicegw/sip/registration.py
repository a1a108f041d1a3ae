"""Our registration at somebody else's registrar: when to register, with what, and what an answer means.

RFC 3261 §10.2, with Path (RFC 3327), Service-Route (RFC 3608), and one flow of RFC 5626. Sans-I/O: the owner calls
:meth:`Registration.request` when :attr:`Registration.due` has come, sends what it gets, and hands in the answer.
Challenges are answered below, by the account that the request is sent under.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import RandomBytes, token
from voicegw.sip.challenges import MAX_ROUNDS
from voicegw.sip.failover import retry_after
from voicegw.sip.headers import CSeq, NameAddr
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.outside import OutsideDialog
from voicegw.sip.reply import Pairs
from voicegw.sip.uri import SipUri

LONGEST_S: Final = 604_800.0
"""No registrar is believed when it says more."""
SHORTEST_S: Final = 2.0
"""A binding that ends sooner is refreshed as if it lasted so long: no registrar makes us send all the time."""
REFRESH_FROM: Final = 0.75
REFRESH_TO: Final = 0.85
"""The part of a binding's life after which it is refreshed, by chance between the two: a thousand nodes that came
up together must not come back together. What is left is for tries that fail."""
RETRY_MAX_S: Final = 600.0
"""The longest pause between two tries; RFC 5626 §4.5 says 30 minutes, which is long for a line that is down."""
_SECONDS = re.compile(r"\s*([0-9]{1,10})\s*(?:;|$)")


class RegistrationState(Enum):
    """Where we stand."""

    IDLE = "not registered, and not meant to be"
    REGISTERING = "the first REGISTER is out"
    REGISTERED = "registered"
    REFRESHING = "registered, and the next REGISTER is out"
    WAITING = "a REGISTER failed; the next one is to come"
    UNREGISTERING = "the REGISTER that takes everything back is out"
    ENDED = "over"


class RegistrationInput(Enum):
    """What happens to it."""

    DUE = "it is time for a REGISTER"
    ACCEPTED = "2xx came"
    FAILED = "any other end of a REGISTER"
    STOPPED = "nobody wants it any more"


_S, _I = RegistrationState, RegistrationInput
REGISTRATION: TransitionTable[RegistrationState, RegistrationInput] = TransitionTable(
    "registration",
    {
        (_S.IDLE, _I.DUE): _S.REGISTERING,
        (_S.IDLE, _I.STOPPED): _S.ENDED,
        (_S.REGISTERING, _I.ACCEPTED): _S.REGISTERED,
        (_S.REGISTERING, _I.FAILED): _S.WAITING,
        (_S.REGISTERING, _I.STOPPED): _S.UNREGISTERING,
        (_S.REGISTERED, _I.DUE): _S.REFRESHING,
        (_S.REGISTERED, _I.STOPPED): _S.UNREGISTERING,
        (_S.REFRESHING, _I.ACCEPTED): _S.REGISTERED,
        (_S.REFRESHING, _I.FAILED): _S.WAITING,
        (_S.REFRESHING, _I.STOPPED): _S.UNREGISTERING,
        (_S.WAITING, _I.DUE): _S.REGISTERING,
        (_S.WAITING, _I.STOPPED): _S.UNREGISTERING,
        (_S.UNREGISTERING, _I.ACCEPTED): _S.ENDED,
        (_S.UNREGISTERING, _I.FAILED): _S.ENDED,
    },
)


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """What is registered, and how."""

    address_of_record: str
    """To and From, a SIP URI."""
    registrar: str
    """The Request-URI: a SIP URI without a user part (§10.2)."""
    contact_user: str
    """User part of the Contact, escaped."""
    expires_s: float = 3600.0
    """What we ask for."""
    retry_s: float = 30.0
    """After a first failure; doubled with each one that follows (RFC 5626 §4.5)."""
    instance: str = ""
    """``urn:uuid:…`` of this node, or of all that register by turns, to offer RFC 5626; empty: not offered."""


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """A REGISTER to send. The Contact depends on the way to the server, so it is left to :meth:`headers`."""

    plan: RegistrationPlan
    dialog: OutsideDialog
    sender: str
    expires_s: int

    def headers(self, contact: SipUri) -> Pairs:
        """Everything but what every request has; ``contact`` is how the server reaches us."""
        uri = replace(contact, user=self.plan.contact_user or None)
        value = f"<{uri}>"
        supported = "path"
        if self.plan.instance:
            value += f';+sip.instance="<{self.plan.instance}>";reg-id=1'
            supported = "path, outbound"
        pairs = (("Contact", f"{value};expires={self.expires_s}"), ("Expires", str(self.expires_s)))
        return (*pairs, ("Supported", supported))


class Registration:
    """One registration. Times are monotonic seconds."""

    def __init__(self, plan: RegistrationPlan, random: RandomBytes, now: float) -> None:
        self.plan = plan
        self.state = RegistrationState.IDLE
        self.due: float | None = now
        """When :meth:`request` is to be called next; None while an answer is awaited, and at the end."""
        self.expires_at: float | None = None
        """When the binding ends; None without one."""
        self.service_route: tuple[str, ...] = ()
        """The Route of requests that go by this registration (RFC 3608)."""
        self.path: tuple[str, ...] = ()
        """The proxies through which calls come to us (RFC 3327)."""
        self.flow_timer_s: float | None = None
        """How often the flow has to be kept alive, where RFC 5626 is in use; 0: as we like."""
        self.status = 0
        """Of the latest answer; 408 where none came."""
        self.reason = ""
        self.failures = 0
        """In a row."""
        self._random = random
        self._asks_s = plan.expires_s
        self._dialog = OutsideDialog(f"{token(random, 20)}@voicegw", 0)
        self._sender = str(NameAddr(plan.address_of_record).with_tag(token(random, 12)))
        self._too_brief = False

    def is_registered(self, now: float) -> bool:
        """Whether a binding of ours holds: also while its refresh is on its way, or has failed."""
        return self.expires_at is not None and now < self.expires_at

    # ---------------------------------------------------------------- what is sent

    def request(self, _now: float) -> RegisterRequest:
        """The REGISTER that is due."""
        self.state = REGISTRATION.next(self.state, RegistrationInput.DUE)
        return self._next(round(self._asks_s))

    def stop(self) -> RegisterRequest | None:
        """Take the binding back (§10.2.2); None where there never was anything to take back."""
        doubtful = self.state is RegistrationState.REGISTERING or self.status == 408
        self.state = REGISTRATION.next(self.state, RegistrationInput.STOPPED)
        self.due = None
        if self.state is RegistrationState.UNREGISTERING and (doubtful or self.expires_at is not None):
            # A REGISTER without an answer may have arrived all the same, and have answered challenges since.
            self._dialog = replace(self._dialog, cseq=self._dialog.cseq + MAX_ROUNDS)
            return self._next(0)
        self.state = RegistrationState.ENDED
        return None

    def _next(self, expires_s: int) -> RegisterRequest:
        self.due = None
        self._dialog = replace(self._dialog, cseq=self._dialog.cseq + 1)
        return RegisterRequest(self.plan, self._dialog, self._sender, expires_s)

    # ---------------------------------------------------------------- what comes back

    def receive(self, sent: Request, response: Response, now: float) -> None:
        """The final answer. ``sent`` is the request that it answers, as it went out in the end."""
        self._note_cseq(sent)
        self.status, self.reason = response.status, response.reason
        if self.state is RegistrationState.UNREGISTERING:
            self._end(RegistrationInput.ACCEPTED)
        elif response.status < 300:
            self._receive_success(sent, response, now)
        elif response.status == 423 and self._lengthen(response.headers):
            self.state = REGISTRATION.next(self.state, RegistrationInput.FAILED)
            self.due = now
        else:
            self._fail(now, retry_after(response.headers))

    def receive_failure(self, sent: Request | None, now: float, reason: str = "no answer") -> None:
        """No server answered, or none could be found."""
        if sent is not None:
            self._note_cseq(sent)
        self.status, self.reason = 408, reason
        if self.state is RegistrationState.UNREGISTERING:
            self._end(RegistrationInput.FAILED)
        else:
            self._fail(now, None)

    def _receive_success(self, sent: Request, response: Response, now: float) -> None:
        granted = granted_s(sent, response)
        if granted <= 0:
            self.status, self.reason = response.status, "the registrar accepted, but keeps no binding of ours"
            self.expires_at = None
            self._fail(now, None)
            return
        self.state = REGISTRATION.next(self.state, RegistrationInput.ACCEPTED)
        self.failures, self._too_brief = 0, False
        self.expires_at = now + granted
        self.due = now + max(SHORTEST_S, granted) * self._between(REFRESH_FROM, REFRESH_TO)
        self.service_route = _routes(response.headers, "Service-Route")
        self.path = _routes(response.headers, "Path")
        self.flow_timer_s = self._flow_timer(response.headers)

    def _flow_timer(self, headers: Headers) -> float | None:
        """RFC 5626 §4.2.1: the registrar uses outbound only where it says so in Require; §4.4 for the timer."""
        required = {option.lower() for option in headers.values("Require")}
        if not self.plan.instance or "outbound" not in required:
            return None
        return _seconds(headers.get("Flow-Timer")) or 0.0

    def _lengthen(self, headers: Headers) -> bool:
        """423 (§10.2.8): ask for what the registrar wants at least; false where that helps nobody."""
        least = _seconds(headers.get("Min-Expires"))
        if least is None or self._too_brief or not self._asks_s < least <= LONGEST_S:
            return False
        self._asks_s, self._too_brief = least, True
        return True

    def _fail(self, now: float, wait_s: float | None) -> None:
        """Wait longer after every failure, by chance between half and the whole of it (RFC 5626 §4.5)."""
        self.state = REGISTRATION.next(self.state, RegistrationInput.FAILED)
        longest = min(RETRY_MAX_S, self.plan.retry_s * 2.0 ** min(self.failures, 20))
        self.failures += 1
        self.due = now + max(longest * self._between(0.5, 1.0), wait_s or 0.0)

    def _end(self, happened: RegistrationInput) -> None:
        self.state = REGISTRATION.next(self.state, happened)
        self.expires_at = None

    def _note_cseq(self, sent: Request) -> None:
        """Answers to challenges have counted on (§22.2)."""
        number = CSeq.parse(sent.headers.get("CSeq") or "").number
        self._dialog = replace(self._dialog, cseq=max(self._dialog.cseq, number))

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * int.from_bytes(self._random(2), "big") / 65536


def granted_s(sent: Request, response: Response) -> float:
    """For how long the registrar keeps our binding (§10.2.4), in seconds; 0 where it does not.

    The ``expires`` of our own Contact counts. Registrars that see NAT write another address into it; where ours is
    not to be found, a single Contact is taken for it, then the Expires header, then what we asked for.
    """
    ours = _contact(sent.headers.values("Contact"))
    theirs = [found for found in map(_parsed, response.headers.values("Contact")) if found is not None]
    asked = _seconds(sent.headers.get("Expires")) or 0.0
    general = _seconds(response.headers.get("Expires"))
    match = next((one for one in theirs if ours is not None and _is_same(one, ours)), None)
    if match is None and len(theirs) == 1:
        match = theirs[0]
    own = _seconds(match.params.get("expires")) if match is not None else None
    if own is None:
        own = general if general is not None else asked
    return min(own, LONGEST_S)


def _contact(values: tuple[str, ...]) -> NameAddr | None:
    return _parsed(values[0]) if values else None


def _parsed(value: str) -> NameAddr | None:
    try:
        return NameAddr.parse(value)
    except RemoteProtocolError:
        return None


def _is_same(theirs: NameAddr, ours: NameAddr) -> bool:
    instance = ours.params.get("+sip.instance")
    if instance is not None and theirs.params.get("+sip.instance") is not None:
        same_flow = theirs.params.get("reg-id") in (None, ours.params.get("reg-id"))
        return theirs.params.get("+sip.instance") == instance and same_flow
    try:
        return SipUri.parse(theirs.uri).equivalent(SipUri.parse(ours.uri))
    except RemoteProtocolError:
        return False


def _seconds(value: str | None) -> float | None:
    found = _SECONDS.match(value or "")
    return float(found.group(1)) if found else None


def _routes(headers: Headers, name: str) -> tuple[str, ...]:
    """Route values that a request can follow; a broken set is none at all."""
    values = headers.values(name)
    try:
        for value in values:
            SipUri.parse(NameAddr.parse(value).uri)
    except RemoteProtocolError:
        return ()
    return values
