"""A softphone made of the product's own parts: a SIP gateway, a media worker, and a voice that the caller brings.

For scenarios, the demo and the benchmarks. That other programs can talk with voicegw is proven with other programs.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import msgspec

from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError, RemoteError
from voicegw.base.ids import CallId, LegId, UtteranceId, token
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEnded,
    LegEvent,
    LegInfo,
    LegInvited,
    LegMediaChanged,
    LegRinging,
)
from voicegw.gateway.sip_leg import SipGateway
from voicegw.media import messages as m
from voicegw.media.client import MediaClient
from voicegw.media.config import MediaConfig
from voicegw.runtime.call_legs import configuration_of
from voicegw.sdp.negotiate import MediaSession
from voicegw.server_media_start import command_line
from voicegw.sip.uri import SipUri

BYTES_PER_SECOND = 16_000


class CallRefused(RemoteError):
    """The far end did not take the call."""


class PhoneCall:
    """One outgoing call. All waiting is for events, never for time alone."""

    def __init__(self, phone: Softphone, call_id: CallId, leg_id: LegId) -> None:
        self.call_id = call_id
        self.leg_id = leg_id
        self.session: MediaSession | None = None
        self.ended: LegEnded | None = None
        self.far_is_speaking = False
        self.far_spoke_at = 0.0
        self.far_stopped_at = 0.0
        self.speech: list[m.SpeechStarted | m.SpeechStopped] = []
        self.playouts: dict[UtteranceId, m.PlayoutStarted | m.PlayoutFinished | m.PlayoutCut] = {}
        self.digits = ""
        self.recording = ""
        self.recording_failure = ""
        self.stats: m.LegStats | None = None
        self.on_audio: Callable[[bytes], None] | None = None
        self.on_speech: Callable[[m.SpeechStarted | m.SpeechStopped], None] = lambda _event: None
        self._phone = phone
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for an event that makes ``condition`` true; LocalError naming ``what`` if none does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise LocalError(f"not within {timeout_s:.3g} s: {what}") from None

    async def say(self, pcm: bytes, timeout_s: float = 60.0) -> tuple[float, float]:
        """Speak 8 kHz PCM; returns the monotonic times of its first and of its last sample on the wire."""
        utterance_id = self.start_saying(pcm)
        return await self.said(utterance_id, timeout_s)

    def start_saying(self, pcm: bytes) -> UtteranceId:
        """Begin to speak 8 kHz PCM and return at once."""
        utterance_id = UtteranceId(token(os.urandom))
        self._phone.media.send(m.QueueAudio(self.call_id, utterance_id, pcm, final=True, interruptible=False))
        return utterance_id

    async def said(self, utterance_id: UtteranceId, timeout_s: float = 60.0) -> tuple[float, float]:
        """Wait for the end of what :meth:`start_saying` began; its first and last time."""
        await self.until(lambda: utterance_id in self.playouts or self.over, timeout_s, "the playout begins")
        started = self.playouts.get(utterance_id)
        await self.until(
            lambda: isinstance(self.playouts.get(utterance_id), m.PlayoutFinished | m.PlayoutCut) or self.over,
            timeout_s,
            "the playout ends",
        )
        finished = self.playouts.get(utterance_id)
        if started is None or finished is None:
            raise LocalError("the call ended before this was said")
        return started.at, finished.at

    async def wait_far_speech(self, timeout_s: float = 20.0) -> float:
        """Wait until the far end speaks; the time at which it began."""
        await self.until(lambda: self.far_is_speaking or self.over, timeout_s, "the far end speaks")
        return self.far_spoke_at

    async def wait_far_quiet(self, quiet_ms: int = 700, timeout_s: float = 60.0) -> float:
        """Wait until the far end has spoken and then been silent for ``quiet_ms``; when it fell silent."""
        deadline = time.monotonic() + timeout_s
        while not self.over:
            left = deadline - time.monotonic()
            await self.until(lambda: self._is_quiet() or self.over, max(left, 0.01), "the far end falls silent")
            wait = self.far_stopped_at + quiet_ms / 1000 - time.monotonic()
            if wait <= 0:
                return self.far_stopped_at
            try:
                await self.until(lambda: self.far_is_speaking or self.over, wait, "")
            except LocalError:
                if self._is_quiet():
                    return self.far_stopped_at
        return self.far_stopped_at

    def _is_quiet(self) -> bool:
        return self.far_stopped_at > 0 and not self.far_is_speaking

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.ended is not None

    def press(self, digits: str) -> None:
        """Send keys by RFC 4733."""
        self._phone.media.send(m.SendDtmf(self.leg_id, digits))

    def record(self, path: str) -> None:
        """Record both sides: left what the far end said, right what we said."""
        self._phone.media.send(m.StartRecording(self.call_id, path))

    def stop_recording(self) -> None:
        """Finish the file; :attr:`recording` is set when it has its name."""
        self._phone.media.send(m.StopRecording(self.call_id))

    async def recorded(self, timeout_s: float = 10.0) -> str:
        """Wait for the end of a recording that was stopped; its path. LocalError with the reason if it failed."""
        await self.until(
            lambda: bool(self.recording or self.recording_failure), timeout_s, "the recording is written"
        )
        if self.recording_failure:
            raise LocalError(f"not recorded: {self.recording_failure}")
        return self.recording

    async def hang_up(self, timeout_s: float = 10.0) -> None:
        """BYE (or CANCEL), and wait for its end."""
        self._phone.gateway.hangup(self.leg_id, HangupCause.CALLER_HANGUP)
        await self.wait_ended(timeout_s)

    async def wait_ended(self, timeout_s: float = 60.0) -> LegEnded:
        """Wait until the call is over."""
        await self.until(lambda: self.over, timeout_s, "the call ends")
        assert self.ended is not None
        return self.ended

    # ------------------------------------------------------------ from the phone

    def take_leg_event(self, event: LegEvent) -> None:
        """An event of the gateway about this call."""
        match event:
            case LegAnswered() | LegMediaChanged():
                self.session = event.session
                self._phone.configure(self)
            case LegEnded():
                self.ended = event
                self._phone.media.send(m.CloseLeg(self.leg_id))
            case LegInvited() | LegConfirmed() | LegRinging() | LegInfo():
                pass
        self._changed.set()

    def take_media_event(self, event: m.Event) -> None:
        """An event of the worker about this call."""
        match event:
            case m.SpeechStarted():
                self.on_speech(event)
                self.far_is_speaking, self.far_spoke_at = True, event.onset_at
                self.speech.append(event)
            case m.SpeechStopped():
                self.on_speech(event)
                self.far_is_speaking, self.far_stopped_at = False, event.offset_at
                self.speech.append(event)
            case m.PlayoutStarted() | m.PlayoutFinished() | m.PlayoutCut():
                self.playouts[event.utterance_id] = event
            case m.DtmfReceived():
                self.digits += event.digit
            case m.RecordingEnded():
                self.recording = event.path
            case m.RecordingFailed():
                self.recording_failure = event.reason
            case m.LegClosed():
                self.stats = event.stats
            case _:
                return
        self._changed.set()


class Softphone:
    """Places calls. One SIP socket and one media worker for all of them."""

    def __init__(self, sip: SipConfig, media: MediaConfig, log_level: str = "warning") -> None:
        self.counters = Counters()
        self.lost_reason = ""
        self.gateway = SipGateway(
            sip, self._on_leg_event, random=os.urandom, clock=SystemClock(), counters=self.counters
        )
        self.media = MediaClient(command_line(media, log_level=log_level), self._on_media_event, self._on_lost)
        self._by_leg: dict[LegId, PhoneCall] = {}
        self._by_call: dict[CallId, PhoneCall] = {}

    async def start(self) -> None:
        """Open the socket and start the worker."""
        await self.media.start()
        self.gateway.start()

    async def close(self) -> None:
        """End what is left."""
        self.gateway.close()
        await self.media.close()

    async def dial(
        self,
        uri: str,
        from_uri: str = "sip:softphone@127.0.0.1",
        *,
        prepare: Callable[[PhoneCall], None] = lambda _call: None,
        timeout_s: float = 20.0,
    ) -> PhoneCall:
        """Call ``uri`` and wait for the answer; raises CallRefused with the far end's status.

        ``prepare`` gets the call before anything is sent, so that no event of it is missed.
        """
        call = PhoneCall(self, CallId(token(os.urandom)), LegId(token(os.urandom)))
        prepare(call)
        self._by_leg[call.leg_id] = self._by_call[call.call_id] = call
        local_ip = self.gateway.media_address_towards(SipUri.parse(uri).host)
        port = await self.media.open_leg(call.leg_id, call.call_id, local_ip)
        self.media.send(m.SetMix(call.call_id, _edges(call.leg_id)))
        self.gateway.dial(call.leg_id, uri, local_ip, port, from_uri)
        await call.until(lambda: call.session is not None or call.over, timeout_s, f"{uri} answers")
        if (ended := call.ended) is not None:
            status = f"{ended.sip_status} " if ended.sip_status else ""
            raise CallRefused(f"{uri}: {status}{ended.reason_text or ended.cause.value.text}")
        return call

    def configure(self, call: PhoneCall) -> None:
        """Apply the session of a call to its leg."""
        session = call.session
        if session is None:
            return
        order = configuration_of(call.leg_id, session, listens=True)
        self.media.send(msgspec.structs.replace(order, tap=call.on_audio is not None))

    def forget(self, call: PhoneCall) -> None:
        """Drop an ended call from memory."""
        self._by_leg.pop(call.leg_id, None)
        self._by_call.pop(call.call_id, None)

    def _on_leg_event(self, event: LegEvent) -> None:
        if isinstance(event, LegInvited):
            self.gateway.reject(event.leg_id, HangupCause.BUSY)
        elif call := self._by_leg.get(event.leg_id):
            call.take_leg_event(event)

    def _on_media_event(self, event: m.Event) -> None:
        if isinstance(event, m.AudioBatch):
            for frame in event.frames:
                found = self._by_call.get(frame.call_id)
                if found is not None and found.on_audio is not None:
                    found.on_audio(frame.pcm)
            return
        leg_id = getattr(event, "leg_id", None)
        call_id = getattr(event, "call_id", None)
        call = self._by_leg.get(leg_id) if leg_id else self._by_call.get(call_id) if call_id else None
        if call is not None:
            call.take_media_event(event)

    def _on_lost(self, reason: str) -> None:
        self.lost_reason = reason
        for call in self._by_leg.values():
            self.gateway.hangup(call.leg_id, HangupCause.MEDIA_LOST)


def _edges(leg: LegId) -> tuple[tuple[str, str, float], ...]:
    return ((leg, "agent_ear", 1.0), (leg, "rec_in", 1.0), ("agent", leg, 1.0), ("agent", "rec_out", 1.0))
