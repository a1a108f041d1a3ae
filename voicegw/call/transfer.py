"""Moving the caller to somebody else: three ways to do it, and a way back from every one of them.

*Bridged*: we call the target and join the two legs in the media worker. *Attended*: the same, but the target hears
first what it is about and may refuse. *Blind*: the caller's own side is asked to call the target (REFER, RFC 3515);
where it cannot, the transfer is bridged instead. Pure: what happened, now → commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import facts as f
from voicegw.call.briefing import refer_headers
from voicegw.call.supervision import Near
from voicegw.call.transfer_request import Comfort, TransferFailure, TransferKind, TransferRequest
from voicegw.sip.dialling import call_target


class TransferState(Enum):
    """How far a transfer has come."""

    REFERRING = "the caller's side was asked to call the target"
    DIALLING = "we call the target"
    BRIEFING = "the target is told what it is about, the caller waits"
    BRIDGED = "caller and target talk"
    LEAVING = "they talk, and the caller's side was asked to take our place"
    LEFT = "the target's leg ended before the caller's side said whether it has taken our place"
    MOVED = "the caller is with the target, and our own leg is to end"
    FAILED = "the agent has the caller back"
    OVER = "the call has ended, or somebody else took the caller"


class TransferInput(Enum):
    """What happens to a transfer."""

    LEAVE = "caller and target can do without us"
    REFER_REFUSED = "the caller's side does not do REFER"
    REFER_SUCCEEDED = "the target took the caller's call"
    REFER_FAILED = "the target did not take it"
    ANSWERED = "the target took our call"
    ANSWERED_UNBRIEFED = "the target took our call and has to be told first"
    ACCEPTED = "the target wants the caller"
    REFUSED = "the target does not want the caller"
    TARGET_GONE = "the target's leg ended"
    TIMED_OUT = "nothing happened for too long"
    ABANDONED = "somebody of ours wants the caller now"
    CALLER_GONE = "the caller's leg ended"


_S, _I = TransferState, TransferInput
TRANSFER: TransitionTable[TransferState, TransferInput] = TransitionTable(
    "transfer",
    {
        (_S.REFERRING, _I.REFER_REFUSED): _S.DIALLING,
        (_S.REFERRING, _I.REFER_SUCCEEDED): _S.MOVED,
        (_S.REFERRING, _I.REFER_FAILED): _S.FAILED,
        (_S.REFERRING, _I.TIMED_OUT): _S.FAILED,
        (_S.REFERRING, _I.ABANDONED): _S.FAILED,
        (_S.REFERRING, _I.CALLER_GONE): _S.OVER,
        (_S.DIALLING, _I.ANSWERED): _S.BRIDGED,
        (_S.DIALLING, _I.ANSWERED_UNBRIEFED): _S.BRIEFING,
        (_S.DIALLING, _I.TARGET_GONE): _S.FAILED,
        (_S.DIALLING, _I.TIMED_OUT): _S.FAILED,
        (_S.DIALLING, _I.ABANDONED): _S.FAILED,
        (_S.DIALLING, _I.CALLER_GONE): _S.OVER,
        (_S.BRIEFING, _I.ACCEPTED): _S.BRIDGED,
        (_S.BRIEFING, _I.TIMED_OUT): _S.BRIDGED,
        (_S.BRIEFING, _I.REFUSED): _S.FAILED,
        (_S.BRIEFING, _I.TARGET_GONE): _S.FAILED,
        (_S.BRIEFING, _I.ABANDONED): _S.FAILED,
        (_S.BRIEFING, _I.CALLER_GONE): _S.OVER,
        (_S.BRIDGED, _I.TARGET_GONE): _S.OVER,
        (_S.BRIDGED, _I.CALLER_GONE): _S.OVER,
        (_S.BRIDGED, _I.LEAVE): _S.LEAVING,
        (_S.LEAVING, _I.REFER_SUCCEEDED): _S.MOVED,
        (_S.LEAVING, _I.REFER_REFUSED): _S.BRIDGED,
        (_S.LEAVING, _I.REFER_FAILED): _S.BRIDGED,
        (_S.LEAVING, _I.TIMED_OUT): _S.BRIDGED,
        (_S.LEAVING, _I.TARGET_GONE): _S.LEFT,
        (_S.LEAVING, _I.CALLER_GONE): _S.OVER,
        (_S.LEFT, _I.REFER_SUCCEEDED): _S.MOVED,
        (_S.LEFT, _I.REFER_REFUSED): _S.OVER,
        (_S.LEFT, _I.REFER_FAILED): _S.OVER,
        (_S.LEFT, _I.TIMED_OUT): _S.OVER,
        (_S.LEFT, _I.CALLER_GONE): _S.OVER,
        (_S.MOVED, _I.CALLER_GONE): _S.OVER,
    },
)
"""Inputs without a row came too late and change nothing: a REFER may succeed after its time was up."""
_ASKED = (_S.REFERRING, _S.LEAVING, _S.LEFT)
"""While these last, the caller's side owes us word about a REFER."""


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """Somebody that agents can transfer to by name."""

    name: str
    """What agents call it, as in ``transfer: human``."""
    uri: str
    """Where it is: a SIP URI, or a number that a trunk carries."""
    kind: str = "bridged"
    """bridged, attended (the target hears a summary first) or blind (by REFER; bridged where that is refused)."""
    leave: bool = False
    """Once caller and target talk, the caller's side is asked to call the target itself and take our place (REFER
    with Replaces, RFC 5589 §7). Recording and supervision end there. Where that fails, we stay between them."""
    trunk: str = ""
    """The trunk that carries a number; empty: the one whose ``carries`` fits best."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.kind not in {kind.value for kind in TransferKind}:
            choices = ", ".join(kind.value for kind in TransferKind)
            raise ConfigError(f"there is no transfer of kind {self.kind!r}", fix=f"one of: {choices}")
        try:
            call_target(self.uri, self.trunk)
        except RemoteProtocolError:
            fix = "write sip:name@host or +4930123456; 'trunk' is for numbers only"
            raise ConfigError(f"the target {self.name} cannot be called: {self.uri!r}", fix=fix) from None

    @property
    def destination(self) -> str:
        """What is called, as a URI."""
        return call_target(self.uri, self.trunk)


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """How callers are handed over."""

    targets: tuple[TargetConfig, ...] = ()
    """Who can be transferred to by name. Agents may also give a SIP URI, or a number that a trunk carries."""
    transcribe: bool = True
    """What a caller and somebody who took the call say to each other is recognised, as far as consent allows."""
    ring_s: float = 30.0
    """The target has this long to answer; people let a phone ring about six times, every five seconds."""
    refer_s: float = 40.0
    """The caller's side has this long to say how its call to the target ended."""
    briefing_s: float = 45.0
    """The longest summary; then caller and target are connected whatever was still to be said."""
    accept_s: float = 2.0
    """After the summary the target has this long to press the refusing key."""
    accept_key: str = "1"
    """Connects at once."""
    refuse_key: str = "2"
    """Sends the caller back to the agent."""
    reassure_s: float = 12.0
    """A waiting caller hears at least this often that they are not forgotten."""
    connecting: str = "One moment, please. I am connecting you."
    """What the caller hears before it rings; empty for nothing."""
    waiting: str = "Please hold the line. I am still connecting you."
    """What a waiting caller hears again and again."""
    offered: str = "A caller is being transferred to you."
    """What the target of an attended transfer hears before the summary."""
    choice: str = "Stay on the line to take the call, or press two to refuse it."
    """What it hears after the summary."""
    ringback: str = "eu"
    """The ringing tone that a waiting caller hears: eu or us (ITU-T E.180)."""
    music: str = ""
    """A WAV file that waiting callers hear in place of the ringing tone, and between announcements; empty: none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name in ("ring_s", "refer_s", "briefing_s", "reassure_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="give seconds, more than 0")
        if self.ringback not in ("eu", "us"):
            raise ConfigError(f"there is no ringing tone {self.ringback!r}", fix="eu or us")

    def target(self, name: str) -> TargetConfig | None:
        """The target of this name, or the SIP URI or number that the name itself is; None for neither.

        Which numbers may be called is decided where the call is made: no trunk carries what it does not name.
        """
        known = next((target for target in self.targets if target.name == name), None)
        if known is not None:
            return known
        try:
            call_target(name)
        except RemoteProtocolError:
            return None
        return TargetConfig(name, name)


class Transfer:
    """One attempt. The call machine asks it what to do and carries its commands on; it owns no leg."""

    def __init__(self, request: TransferRequest, config: TransferConfig, caller: LegId) -> None:
        self.request = request
        self.state = _S.REFERRING if request.kind is TransferKind.BLIND and request.can_refer else _S.DIALLING
        self._config = config
        self._caller = caller
        self._deadline: float | None = None
        self._failure = TransferFailure.FAILED
        self._status = 0
        self._early = False
        self._connected = False

    @property
    def talking(self) -> bool:
        """Whether caller and target talk by way of us."""
        return self.state in (_S.BRIDGED, _S.LEAVING)

    @property
    def is_briefing(self) -> bool:
        """Whether the target is told what it is about."""
        return self.state is _S.BRIEFING

    @property
    def near(self) -> Near:
        """Whom the caller hears."""
        if self.talking or self.state is _S.LEFT:
            return Near.CALLEE
        return Near.CALLEE_EARLY if self.state is _S.DIALLING and self._early else Near.ANNOUNCER

    @property
    def waiting(self) -> bool:
        """Whether the caller waits for the outcome."""
        return self.state in (_S.REFERRING, _S.DIALLING, _S.BRIEFING)

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._deadline

    def handle_timer(self, now: float) -> list[c.CallCommand]:
        """Give up waiting, or stop the briefing."""
        if self._deadline is None or now < self._deadline:
            return []
        return self.take(_I.TIMED_OUT, now, TransferFailure.NO_ANSWER)

    def start(self, now: float) -> list[c.CallCommand]:
        """Begin."""
        request = self.request
        begun = f.TransferHasBegun(request.kind.value, request.target, request.uri, request.summary)
        return [c.RecordFact(begun), c.SuspendAgent(c.Absence.TRANSFER), *self._enter(now)]

    def take(
        self,
        happened: TransferInput,
        now: float,
        failure: TransferFailure = TransferFailure.FAILED,
        status: int = 0,
    ) -> list[c.CallCommand]:
        """Something happened. ``failure`` and ``status`` say why, where it is an end without success."""
        if not TRANSFER.accepts(self.state, happened):
            return []
        before = self.state
        self.state = TRANSFER.next(before, happened)
        self._failure, self._status = failure, status
        return [*_steps(happened, status), *self._enter(now)]

    def refer_answered(self, status: int, now: float) -> list[c.CallCommand]:
        """The caller's side answered our REFER. Whatever refusal: nothing has been tried, so we call ourselves."""
        if self.state not in _ASKED:
            return []
        if status < 300:
            return [c.RecordFact(f.TransferHasProgressed("refer_accepted", status))]
        return self.take(_I.REFER_REFUSED, now, status=status)

    def refer_progressed(
        self, status: int, now: float, failure: TransferFailure, *, final: bool
    ) -> list[c.CallCommand]:
        """A NOTIFY told how the referred call does; one that ends without a final status is a failure."""
        if self.state not in _ASKED:
            return []
        if 200 <= status < 300:
            return self.take(_I.REFER_SUCCEEDED, now, status=status)
        if status >= 300 or final:
            return self.take(_I.REFER_FAILED, now, failure, status)
        return [c.RecordFact(f.TransferHasProgressed("referred_call", status))]

    def answered(self, now: float) -> list[c.CallCommand]:
        """The target took our call."""
        brief = self.request.kind is TransferKind.ATTENDED
        return self.take(_I.ANSWERED_UNBRIEFED if brief else _I.ANSWERED, now)

    def heard_early(self) -> list[c.CallCommand]:
        """The target can be heard before it answers: the caller hears that, not our ringing tone (RFC 3960 §3.2).

        The target of an attended transfer is told first what it is about, so its side is kept from the caller.
        """
        if self.state is not _S.DIALLING or self.request.kind is TransferKind.ATTENDED:
            return []
        self._early = True
        return [c.ComfortCaller(Comfort.NONE), c.RecordFact(f.TransferHasProgressed("early_media", 0))]

    def quiet_again(self) -> list[c.CallCommand]:
        """The target cannot be heard any more, and is called by another way: until it can, the caller hears us."""
        if self.state is not _S.DIALLING or not self._early:
            return []
        self._early = False
        return [c.ComfortCaller(Comfort.RINGBACK)]

    def drop(self, failure: TransferFailure) -> list[c.CallCommand]:
        """The call is ending; one that nothing has come of yet has failed."""
        if not TRANSFER.accepts(self.state, _I.CALLER_GONE):
            return []
        vain = [c.RecordFact(f.TransferHasFailed(failure.value, 0))] if self.waiting else []
        self.state = TRANSFER.next(self.state, _I.CALLER_GONE)
        return [*vain, c.ComfortCaller(Comfort.NONE)]

    def briefed(self, now: float) -> list[c.CallCommand]:
        """All of the summary was said: the refusing key still counts for a moment."""
        if self.state is not _S.BRIEFING:
            return []
        self._deadline = now + self._config.accept_s
        return [c.RecordFact(f.TransferHasProgressed("briefed", 0))]

    def key(self, digit: str, now: float) -> list[c.CallCommand]:
        """The target pressed a key."""
        if digit == self._config.accept_key:
            return self.take(_I.ACCEPTED, now)
        if digit == self._config.refuse_key:
            return self.take(_I.REFUSED, now, TransferFailure.REFUSED)
        return []

    # ------------------------------------------------------------ what each state begins with

    def _enter(self, now: float) -> list[c.CallCommand]:
        request, config = self.request, self._config
        self._deadline = None
        match self.state:
            case _S.REFERRING:
                self._deadline = now + config.refer_s
                told = refer_headers(request.details)
                refer = c.ReferCaller(self._caller, request.uri, headers=told)
                return [refer, c.ComfortCaller(Comfort.REASSURANCE)]
            case _S.DIALLING:
                self._deadline = now + config.ring_s
                return [c.DialTarget(request), c.ComfortCaller(Comfort.RINGBACK)]
            case _S.BRIEFING:
                self._deadline = now + config.briefing_s
                return [c.ComfortCaller(Comfort.REASSURANCE), c.BriefTarget(request.leg_id, request.summary)]
            case _S.BRIDGED:
                return self._connect(now)
            case _S.LEAVING:
                self._deadline = now + config.refer_s
                return [c.ReferCaller(self._caller, request.uri, request.leg_id)]
            case _S.LEFT:
                self._deadline = now + config.refer_s
                return []
            case _S.MOVED:
                moved = f.CallerWasMoved(request.target, request.uri)
                end = c.EndLeg(self._caller, HangupCause.TRANSFERRED)
                return [c.ComfortCaller(Comfort.NONE), c.RecordFact(moved), end]
            case _S.FAILED:
                failed = f.TransferHasFailed(self._failure.value, self._status)
                end = c.EndLeg(request.leg_id, HangupCause.TRANSFER_OFF)
                back = c.ResumeAgent(c.Absence.TRANSFER, self._failure)
                return [c.ComfortCaller(Comfort.NONE), c.RecordFact(failed), end, back]
            case _S.OVER:
                return [c.ComfortCaller(Comfort.NONE)]

    def _connect(self, now: float) -> list[c.CallCommand]:
        """Caller and target hear one another; who came back here from an attempt to leave is connected already."""
        if self._connected:
            return []
        self._connected = True
        connected = f.CallerWasConnected(self.request.target, self.request.uri)
        joined: list[c.CallCommand] = [c.ComfortCaller(Comfort.NONE), c.RecordFact(connected)]
        if self.request.leave and self.request.can_refer:
            joined += self.take(_I.LEAVE, now)
        return joined


def _steps(happened: TransferInput, status: int) -> list[c.CallCommand]:
    """Facts about the way, as far as the next state does not say it."""
    names = {
        _I.REFER_REFUSED: "refer_refused",
        _I.ANSWERED: "answered",
        _I.ANSWERED_UNBRIEFED: "answered",
        _I.ACCEPTED: "accepted",
    }
    name = names.get(happened)
    return [c.RecordFact(f.TransferHasProgressed(name, status))] if name else []
