"""Facts of the line: how it sounded, what SIP said on it, and what became of its media."""

from __future__ import annotations

import msgspec

from voicegw.call.fact import Fact


class ToneWasHeard(Fact, frozen=True):
    """The network played something on a leg that we called: ``ringback``, ``busy``, ``congestion``,
    ``special_information``, ``fax_calling`` or ``fax_answering``. ``party``: the leg's role in the call."""

    party: str
    tone: str


class MediaHasMoved(Fact, frozen=True):
    """The media worker of a leg died, and another one went on with it. ``party``: the leg's role in the call."""

    party: str


class MediaWasMeasured(Fact, frozen=True):
    """Counters of a leg at its end. ``leg``: caller, callee, supervisor, or stream of a recording session.

    ``packets_lost``, ``jitter_ms`` and ``mos`` are of what we heard; ``peer_lost``, ``peer_jitter_ms`` and
    ``peer_mos`` of what the other side heard of us, by its RTCP: -1, -1 and 0 where it does not say.
    """

    packets_sent: int
    packets_received: int
    packets_lost: int
    packets_late: int
    packets_rejected: int
    jitter_ms: float
    leg: str = "caller"
    mos: float = 0.0
    """Of the whole leg, 1 to 4.5; 0 where nothing was received."""
    round_trip_ms: float = -1.0
    party: str = ""
    """Whose leg it was, where there may be several of its kind."""
    srtp: str = ""
    """The suite that it was encrypted with; empty for plain RTP."""
    peer_lost: int = -1
    peer_jitter_ms: float = -1.0
    peer_mos: float = 0.0


class AudioWasMissing(Fact, frozen=True):
    """A leg that is answered is silent in one direction, or in both, and not on hold.

    ``direction``: from_peer, to_peer or both. ``reason``: nat_peer, nat_ours, address, refused, muted, firewall or
    unheard; ``text`` says it in words, and what to look at.
    """

    leg: str
    direction: str
    reason: str
    text: str
    after_ms: float
    party: str = ""


class MediaQualityHasChanged(Fact, frozen=True):
    """How the last five seconds of a leg sounded. While that is poor (a ``mos`` below 3.1) it is told every time.

    ``mos``: of what we heard; ``peer_mos``: of what the other side says it heard, 0 where it does not say.
    """

    leg: str
    mos: float
    peer_mos: float
    loss_percent: float
    jitter_ms: float
    round_trip_ms: float = -1.0
    party: str = ""


class SipStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One SIP message. ``here`` and ``peer`` are HOST:PORT, ``reason`` the header of that name (RFC 3326).

    ``again``: a retransmission. ``text``: the message, where that is kept, without credentials, keys and bodies
    other than session descriptions.
    """

    at_ms: float
    sent: bool
    start_line: str
    cseq: str
    here: str
    peer: str
    transport: str
    reason: str = ""
    again: bool = False
    text: str = ""


class SipWasTraced(Fact, frozen=True):
    """What was said by SIP on one leg since the last such fact, at the latest when the call is over. ``dropped``
    messages were in the middle, and are told of at the end."""

    leg: str
    party: str
    steps: tuple[SipStep, ...]
    dropped: int = 0


class CallWasBarred(Fact, frozen=True):
    """A toll rule did not allow a call of ours, or, where it was ``running``, a rule or its trunk not any longer.
    ``rule`` is empty for what holds for every call and for trunks, ``limit`` the setting. ``ended``: it was,
    or never began."""

    leg: str
    rule: str
    limit: str
    why: str
    running: bool
    ended: bool


class TrunkHasFailed(Fact, frozen=True):
    """A trunk could not carry a call of ours, and ``next_trunk`` tried after it. ``cause``: of the catalogue,
    ``status`` and ``reason``: what the trunk said, 0 and "" where it said nothing."""

    leg: str
    trunk: str
    cause: str
    status: int
    reason: str
    next_trunk: str
