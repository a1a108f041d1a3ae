"""What a call needs from the house, as narrow protocols: the real gateway, worker and engines fit them, and so do
the fakes of the scenario tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from voicegw.agents.agent import Agent
from voicegw.agents.lexicon import Lexicons
from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.ids import CallId, LegId, RandomBytes
from voicegw.base.metrics import Counters
from voicegw.call.call_config import CallConfig
from voicegw.call.facts import Entry
from voicegw.call.redaction import Redactor
from voicegw.call.supervision import SupervisionConfig
from voicegw.call.transfer import TransferConfig
from voicegw.gateway.sip_traces import Listener, Trace
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trace_message import Passed
from voicegw.media.messages import Command
from voicegw.ports.asr import AsrProvider
from voicegw.ports.eot import EotModel
from voicegw.ports.tracing import Tracing
from voicegw.ports.tts import SpokenChunk, TtsRequest
from voicegw.runtime.capture_house import CaptureHouse
from voicegw.runtime.house_texts import HouseTexts
from voicegw.sdp.negotiate import MediaSession
from voicegw.sdp.recording import RecordedStream
from voicegw.turn.machine import TurnConfig


class Signalling(Protocol):
    """The SIP side of a leg; :class:`voicegw.gateway.sip_leg.SipGateway`."""

    def ring(self, leg_id: LegId) -> None:
        """Send 180."""
        ...

    def may_hear_early(self, leg_id: LegId, /) -> bool:
        """Whether a caller can be made to hear us before the answer."""
        ...

    def early(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 183 with media; the session, or None where it comes later or not at all. Raises as ``accept``."""
        ...

    def accept(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 200; the session, or None when the offer is yet to come. Raises NotAcceptable after a 488."""
        ...

    def accept_streams(
        self, leg_id: LegId, local_ip: str, ports: Mapping[int, int], /
    ) -> tuple[RecordedStream, ...] | None:
        """Answer the open offer of a recording client; the streams that are agreed, or None for none of it."""
        ...

    def move_streams(self, leg_id: LegId, local_ip: str, ports: Mapping[int, int], /) -> None:
        """Receive the streams of a recording client elsewhere; one that does not follow is hung up on."""
        ...

    def reject(self, leg_id: LegId, cause: HangupCause) -> None:
        """Refuse the INVITE."""
        ...

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """End the leg in whatever way its state demands."""
        ...

    def media_address(self, leg_id: LegId) -> str:
        """Our IP address as this peer should see it."""
        ...

    def far_host(self, leg_id: LegId, /) -> str:
        """Where the SIP of this peer comes from; "" where that is not known."""
        ...

    def media_bind_address(self, leg_id: LegId) -> str:
        """The address of this machine that media sockets of the leg bind to."""
        ...

    async def media_route(self, target_uri: str) -> tuple[str, str]:
        """Our address as the host of a URI should see it, and the one to bind to; raises LocalError."""
        ...

    def dial(
        self,
        leg_id: LegId,
        target_uri: str,
        local_ip: str,
        local_port: int,
        from_uri: str,
        *,
        display_name: str = "",
        headers: Sequence[tuple[str, str]] = (),
        withheld: bool = False,
        payer: Payer = NOBODY,
    ) -> None:
        """Send an INVITE; raises LocalError and RemoteProtocolError for what cannot be called. ``payer``: on whose
        behalf.

        RouteRefused, a LocalError, says with a cause that no trunk may or can carry it. ``withheld``: the caller
        wishes not to be shown.
        """
        ...

    def move_media(self, leg_id: LegId, local_ip: str, local_port: int) -> None:
        """Our audio of an answered leg is received elsewhere from now on: tell the peer (RFC 3264 §8.3.1).

        A peer that refuses cannot be heard any more: the leg ends.
        """
        ...

    def send_keys(self, leg_id: LegId, digits: str, /) -> bool:
        """Press keys on a leg whose keys go by signalling; False: they are for the media worker."""
        ...

    def may_refer(self, leg_id: LegId) -> bool:
        """Whether the peer of the leg may know REFER."""
        ...

    def refer(
        self,
        leg_id: LegId,
        target_uri: str,
        replaced: LegId | None = None,
        headers: Sequence[tuple[str, str]] = (),
        payer: Payer = NOBODY,
    ) -> None:
        """Ask the peer to call somebody else, with ``headers``, or to take our place on the leg ``replaced``.
        ``payer``: on whose behalf."""
        ...

    def is_settled(self, leg_id: LegId, /) -> bool:
        """Whether no message of the signalling of a leg is owed to either side."""
        ...

    def take_first_trace(self, leg_id: LegId, /) -> Trace | None:
        """What was said by SIP lately on a leg that goes on; None for nothing, or where enough is told."""
        ...

    def listen(self, leg_id: LegId, listener: Listener | None, /) -> tuple[Passed, ...]:
        """Tell somebody of every SIP message of a leg from now on, or nobody; the first that there were."""
        ...

    def take_trace(self, leg_id: LegId, /) -> Trace | None:
        """What was said by SIP on a leg; it is told once."""
        ...


class MediaControl(Protocol):
    """The media workers; :class:`voicegw.media.pool.MediaPool`."""

    @property
    def has_room(self) -> bool:
        """Whether a new call would be carried well."""
        ...

    def send(self, command: Command) -> None:
        """Pass a command on; never blocks."""
        ...

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        """The RTP port of a new leg; raises LocalError when there is none."""
        ...


class Speaker(Protocol):
    """Text to audio with fallback; :class:`voicegw.runtime.speech.Speech`."""

    def synthesize(self, request: TtsRequest, lexicon: Lexicons) -> AsyncIterator[SpokenChunk]:
        """One written sentence from the first engine that works: how that one reads it, then its audio.

        Raises ProviderError when none works.
        """
        ...


class FactSink(Protocol):
    """Where facts go; :class:`voicegw.storage.event_log.EventLog`."""

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Write one fact."""
        ...

    def finish(self, call_id: CallId) -> None:
        """No more facts of this call."""
        ...


FactListener = Callable[[CallId, Entry], None]


class Music(Protocol):
    """What callers hear who wait."""

    def piece(self, rate_hz: int, begin_s: float, length_s: float, *, begins: bool) -> bytes:
        """``length_s`` of it at ``rate_hz`` from ``begin_s`` on, however long it is itself. ``begins``: nothing was
        heard before, so that it is faded in."""
        ...


@dataclass(frozen=True, slots=True)
class CallServices:
    """Everything a call is given."""

    signalling: Signalling
    media: MediaControl
    speaker: Speaker
    asr: AsrProvider
    facts: FactSink
    agents: Mapping[str, Agent]
    clock: Clock
    random: RandomBytes
    counters: Counters
    recordings: Path | None
    call_config: CallConfig = field(default_factory=CallConfig)
    turn_config: TurnConfig = field(default_factory=TurnConfig)
    on_fact: FactListener = lambda _call_id, _entry: None
    transfers: TransferConfig = field(default_factory=TransferConfig)
    music: Music | None = None
    """For callers who wait."""
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    eot: EotModel | None = None
    texts: HouseTexts = field(default_factory=HouseTexts)
    """What the server itself says in a call."""
    redactor: Callable[[], Redactor] = Redactor
    """Makes what keeps card numbers and patterns out of one call's facts."""
    captures: CaptureHouse = field(default_factory=CaptureHouse)
    """Packet captures of all calls."""
    recording_format: str = "wav"
    """The suffix of recordings, which says what the media worker makes of them."""
    tracing: Tracing | None = None
    """Where calls are traced."""
