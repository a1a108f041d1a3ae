"""One leg and one call as the media worker knows them: what changes seldom; the rest is in the bank."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import AGENT, ANNOUNCER, MUSIC, Edge
from voicegw.media.config import FRAME_MS, SAMPLE_RATE_HZ
from voicegw.media.ducking import Duck
from voicegw.media.latch import SourceLatch
from voicegw.media.messages import ConfigureLeg, SendDtmf
from voicegw.media.playout import Playout
from voicegw.media.quality import PeerEar, QualitySpan
from voicegw.media.secure import SecurePorts
from voicegw.media.sockets import Address, PortPair
from voicegw.rtp.telephone_event import TelephoneEventReceiver, TelephoneEventSender

_LAST_PORT: Final = 65535


@dataclass(slots=True)
class Leg:
    """A row with its sockets. ``settings`` is None until the session is negotiated."""

    leg_id: LegId
    call_id: CallId
    row: int
    ports: PortPair
    latch: SourceLatch
    receive: Callable[[memoryview], tuple[int, Address]] = field(init=False)
    """``recvfrom_into`` of the RTP socket, or of what decrypts: looked up once, called every tick."""
    send: Callable[[memoryview | bytes, Address], int] = field(init=False)
    """``sendto`` of the RTP socket, or of what encrypts."""
    receive_report: Callable[[memoryview], tuple[int, Address]] = field(init=False)
    send_report: Callable[[memoryview | bytes, Address], int] = field(init=False)
    report_source: Address | None = None
    """Where the peer's reports come from, where that is not the port of its audio."""
    secure: SecurePorts | None = None
    """SRTP, once it was agreed."""
    settings: ConfigureLeg | None = None
    keys_in: TelephoneEventReceiver = field(default_factory=TelephoneEventReceiver)
    keys_out: TelephoneEventSender = field(default_factory=TelephoneEventSender)
    keys_waiting: deque[SendDtmf] = field(default_factory=deque)
    keys_current: SendDtmf | None = None
    odd_codes: bytearray = field(default_factory=bytearray)
    """Encoded samples that wait for a packet that is not 20 ms long."""
    wide_in: bool = False
    """Whether what it receives is of a codec that samples at 16 kHz."""
    wide_out: bool = False
    """The same of what it sends."""
    rejected: int = 0
    timeouts: int = 0
    """MediaTimedOut events of the present silence."""
    peer_ear: PeerEar = field(default_factory=PeerEar)
    """What it says that it hears of us."""
    peer_reports: int = 0
    """RTCP reports of the peer; the last one says whether it sends, any of them whether it hears us."""
    peer_sends: bool = False
    peer_hears: bool = False
    round_trip_ms: float = -1.0
    quality: QualitySpan = field(default_factory=QualitySpan)

    muxed: bool = False
    """Reports are sent from the port of the audio."""
    tap: Callable[[Leg], None] | None = None
    """Puts itself between the leg and its sockets, whenever it is connected: the call is being captured."""

    def __post_init__(self) -> None:
        """A leg begins with plain RTP."""
        self.connect(None, muxed=False)

    def connect(self, secure: SecurePorts | None, *, muxed: bool) -> None:
        """Send and receive by SRTP, or plainly. ``muxed``: reports are sent from the port of the audio."""
        self.secure, self.muxed = secure, muxed
        if secure is not None:
            self.receive, self.send = secure.receive, secure.send
            self.receive_report = secure.receive_report
            self.send_report = secure.send_muxed if muxed else secure.send_report
        else:
            self.receive, self.send = self.ports.rtp.recvfrom_into, self.ports.rtp.sendto
            self.receive_report = self.ports.rtcp.recvfrom_into
            self.send_report = self.ports.rtp.sendto if muxed else self.ports.rtcp.sendto
        if self.tap is not None:
            self.tap(self)

    def tap_by(self, tap: Callable[[Leg], None] | None) -> None:
        """From now on this one sees every packet, or nobody does."""
        self.tap = tap
        self.connect(self.secure, muxed=self.muxed)

    toning: bool = False
    """Keys are being sent to it as tones."""

    @property
    def keying(self) -> bool:
        """Whether packets of this leg carry, or are about to carry, a digit instead of audio."""
        return self.keys_current is not None or bool(self.keys_waiting)

    @property
    def sending(self) -> bool:
        """Whether the negotiated direction lets us send."""
        return self.settings is not None and self.settings.send

    @property
    def report_target(self) -> Address | None:
        """Where reports go: with the audio, where the peer's come from, where its SDP says, or a port above."""
        target, settings = self.latch.target, self.settings
        if target is None or settings is None:
            return None
        if settings.rtcp_mux:
            return target
        if self.report_source is not None:
            return self.report_source
        if settings.rtcp_port and target == (settings.remote_ip, settings.remote_port):
            return settings.rtcp_ip, settings.rtcp_port
        return (target[0], target[1] + 1) if target[1] < _LAST_PORT else None

    @property
    def ptime_ms(self) -> int:
        """Length of our own packets."""
        return self.settings.ptime_ms if self.settings else FRAME_MS

    @property
    def key_clock_hz(self) -> int:
        """In which the durations of telephone events are counted."""
        return self.settings.dtmf_clock_hz if self.settings else SAMPLE_RATE_HZ

    @property
    def key_payload_type(self) -> int:
        """Of telephone events; -1 when not negotiated."""
        return self.settings.dtmf_payload_type if self.settings else -1


@dataclass(slots=True)
class Voice:
    """A playout queue of a call and where it is heard."""

    playout: Playout
    mouth: Leg | None = None
    """A leg that hears the voice and can be sent audio now: while there is none, the playout stands still."""
    source: int = -1
    """Where the playout is in the mixer's sources."""
    duck: Duck = field(default_factory=Duck)
    """How loud it is, where others speak over it."""


@dataclass(slots=True)
class Call:
    """The legs of a call, its voices and its matrix."""

    call_id: CallId
    rate_hz: int = 0
    """At which it is mixed: the one of the codec of its first leg, 0 before there is one."""
    edges: tuple[Edge, ...] = ()
    before: tuple[Edge, ...] | None = None
    """What was in force until now, where ``edges`` are new and there were others."""
    legs: dict[str, Leg] = field(default_factory=dict)
    voices: dict[str, Voice] = field(default_factory=dict)
    """By name; the agent's is there always."""
    mixed: bool = True
    """Whether it has been told that the edges are in force."""
    recording: bool = False
    tap: Callable[[Leg], None] | None = None
    """Of all its legs; None while it is not captured."""
    ears: dict[str, int] = field(default_factory=dict)
    """Where the ears that hear something are in the mixer's output."""
    heard_by: dict[str, str] = field(default_factory=dict)
    """The leg that each of them hears; of several, the first."""
    recorded_in: int = -1
    recorded_out: int = -1
    """Where these sinks are in the mixer's output; -1 for none."""

    def __post_init__(self) -> None:
        """The agent has a voice from the start."""
        self.voices[AGENT] = Voice(Playout(self.call_id))

    def set_edges(self, edges: tuple[Edge, ...]) -> None:
        """Who hears whom from the next frame on, in which it changes gradually."""
        if self.before is None and self.edges:
            self.before = self.edges
        self.edges, self.mixed = edges, False

    def set_rate(self, rate_hz: int) -> None:
        """Once and for all."""
        self.rate_hz = rate_hz
        for voice in self.voices.values():
            voice.playout.retune(rate_hz)

    def voice(self, name: str) -> Voice:
        """The voice of this name, made if there is none; music comes with the voice that it is under."""
        if name == MUSIC:
            self.voice(ANNOUNCER)
        if name not in self.voices:
            self.voices[name] = Voice(Playout(self.call_id, self.rate_hz or SAMPLE_RATE_HZ))
        return self.voices[name]

    @property
    def playout(self) -> Playout:
        """The agent's voice."""
        return self.voices[AGENT].playout
