"""Facts of the people in a call besides its caller: targets of transfers, far ends, supervisors."""

from __future__ import annotations

from voicegw.call.fact import Fact


class TransferHasBegun(Fact, frozen=True):
    """The caller is to be moved to ``target``, which is at ``uri``. ``kind``: bridged, attended or blind."""

    kind: str
    target: str
    uri: str
    summary: str


class TransferHasProgressed(Fact, frozen=True):
    """A step on the way.

    ``step``: refer_accepted, refer_refused, referred_call, dialled, ringing, answered, briefed or accepted.
    ``status`` is the SIP status that said so, 0 for none.
    """

    step: str
    status: int


class TransferHasFailed(Fact, frozen=True):
    """The agent has the caller back, because of ``reason``; ``status`` as in TransferHasProgressed."""

    reason: str
    status: int


class CallerWasConnected(Fact, frozen=True):
    """Caller and target talk, by way of us."""

    target: str
    uri: str


class CallerWasMoved(Fact, frozen=True):
    """Caller and target talk without us."""

    target: str
    uri: str


class FarEndWasReferred(Fact, frozen=True):
    """The far end of a leg asked us to talk with ``uri`` in its place (SIP REFER). ``followed``: we call there."""

    leg: str
    uri: str
    followed: bool


class ReferralHasFailed(Fact, frozen=True):
    """Nobody could be talked with at ``uri``; ``status`` is what SIP said. The far end is the one it was."""

    leg: str
    uri: str
    status: int


class FarEndWasReplaced(Fact, frozen=True):
    """From now on ``uri`` is the far end of a leg, by REFER or by Replaces."""

    leg: str
    uri: str


class KeysWereSent(Fact, frozen=True):
    """Keys of ours went to a leg: all of them, or those before a refusal. ``leg``: its role in the call.

    ``way``: info (SIP INFO) or audio (telephone events, or tones). ``sip_status``: of the last INFO, 408 where no
    answer came; 0 for keys that went with the audio, which nobody acknowledges.
    """

    leg: str
    digits: str
    way: str
    sip_status: int = 0


class MessageWasReceived(Fact, frozen=True):
    """The far end of a leg sent text (SIP MESSAGE)."""

    leg: str
    text: str


class AnnouncementWasMade(Fact, frozen=True):
    """Something was said that is no part of the conversation. ``to``: caller or target."""

    to: str
    text: str


class SupervisorHasJoined(Fact, frozen=True):
    """A supervisor is in the call, listening."""

    name: str


class SupervisorModeHasChanged(Fact, frozen=True):
    """From now on a supervisor does ``mode`` (listen, whisper, barge, takeover).

    ``effect_ms``: from the command to its effect in the media worker, negative where that was not told.
    """

    name: str
    mode: str
    effect_ms: float = -1.0


class SupervisorHasLeft(Fact, frozen=True):
    """A supervisor is gone; ``cause`` as in CallHasEnded. ``had_taken_over``: the agent has the caller back."""

    name: str
    cause: str
    had_taken_over: bool


class SupervisorSpoke(Fact, frozen=True):
    """A supervisor said something, by voice or as text. ``to``: agent (a whisper), or caller."""

    name: str
    to: str
    text: str
    started_ms: float
    ended_ms: float


class CalleeSpoke(Fact, frozen=True):
    """Somebody whom the caller was connected to said something to them."""

    target: str
    text: str
    started_ms: float
    ended_ms: float


class CallWasOrdered(Fact, frozen=True):
    """Somebody outside of the call wanted it moved or ended. ``what``: move or end; ``to``: where to."""

    by: str
    what: str
    to: str = ""
