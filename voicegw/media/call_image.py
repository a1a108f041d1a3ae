"""What one call is in its media worker, as its commands and events tell: enough to build it again in another one.

The worker owns every sample, so what it had sent when it died is known only as far as it told: an utterance goes on
from where it was when the worker was last heard of. A quarter of a second of it may be heard twice; nothing is left
out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.config import SAMPLE_RATE_HZ

_SAMPLE_BYTES: Final = 2
PlayoutEvent = m.PlayoutStarted | m.PlayoutPaused | m.PlayoutResumed | m.PlayoutFinished | m.PlayoutCut
Told = (
    PlayoutEvent
    | m.PlayoutStarved
    | m.SpeechStarted
    | m.SpeechStopped
    | m.DtmfSent
    | m.KeystreamReached
    | m.LegClosed
)
"""Events that change the image."""


@dataclass(slots=True)
class _Utterance:
    """Audio of a voice that is not known to be over."""

    id: UtteranceId
    interruptible: bool
    rate_hz: int
    chunks: list[bytes] = field(default_factory=list)
    final: bool = False
    before: int = 0
    """Samples that earlier workers sent: what the present one has begins there."""
    sent: int = 0
    """Samples that the present worker had sent at ``since``, or had when it paused."""
    since: float | None = None
    """When it was last told to play, monotonic seconds; None while it does not."""
    announced: bool = False
    """The call knows that it has begun."""

    @property
    def made(self) -> int:
        """Samples there are of it, in the unit of all positions."""
        return sum(map(len, self.chunks)) * SAMPLE_RATE_HZ // self.rate_hz // _SAMPLE_BYTES

    def position(self, at: float) -> int:
        """Samples of the whole utterance that were heard by then."""
        playing = round((at - self.since) * SAMPLE_RATE_HZ) if self.since is not None else 0
        return min(self.before + self.sent + max(playing, 0), self.made)

    def rest(self) -> bytes:
        """What was not heard."""
        return b"".join(self.chunks)[self.before * self.rate_hz // SAMPLE_RATE_HZ * _SAMPLE_BYTES :]


class CallImage:
    """Of one call. :meth:`note` every command to it, and pass every event of it through :meth:`see`."""

    def __init__(self, call_id: CallId) -> None:
        self._call_id = call_id
        self.legs: dict[LegId, m.OpenLeg] = {}
        self._settings: dict[LegId, m.ConfigureLeg] = {}
        self._keystreams: dict[LegId, m.KeystreamReached] = {}
        self._closing: set[LegId] = set()
        self._mix: m.SetMix | None = None
        self._voices: dict[str, dict[UtteranceId, _Utterance]] = {}
        self._dying: dict[UtteranceId, _Utterance] = {}
        self._paused: set[m.PausePlayout] = set()
        self._speaking: set[LegId] = set()
        self._keying: set[LegId] = set()

    @property
    def over(self) -> bool:
        """Whether nothing is left of the call in the worker."""
        return not self.legs and not self._closing

    def has(self, leg_id: LegId) -> bool:
        """Whether the leg is to go on."""
        return leg_id in self.legs

    # ------------------------------------------------------------ what the call wants

    def note(self, command: m.Command) -> None:
        """A command went to the worker."""
        match command:
            case m.OpenLeg():
                self.legs[command.leg_id] = command
            case m.ConfigureLeg():
                self._configure(command)
            case m.CloseLeg(leg_id):
                self._close(leg_id)
            case m.SetMix():
                self._mix = command
            case m.QueueAudio():
                self._queue(command)
            case m.PausePlayout():
                self._paused.add(command)
            case m.ResumePlayout(call_id, voice) | m.CutPlayout(call_id, voice):
                self._paused.discard(m.PausePlayout(call_id, voice))
                if isinstance(command, m.CutPlayout):
                    self._dying |= self._voices.pop(voice, {})
            case m.SendDtmf(leg_id):
                self._keying.add(leg_id)
            case _:
                pass  # recordings are files of the worker that writes them: the call begins another one itself

    def _configure(self, command: m.ConfigureLeg) -> None:
        before = self._settings.get(command.leg_id)
        self._settings[command.leg_id] = command
        if before is None or _peer_key(before) != _peer_key(command):
            self._keystreams.pop(command.leg_id, None)

    def _close(self, leg_id: LegId) -> None:
        if self.legs.pop(leg_id, None) is not None:
            self._closing.add(leg_id)
        self._settings.pop(leg_id, None)
        self._keystreams.pop(leg_id, None)
        self._speaking.discard(leg_id)
        self._keying.discard(leg_id)

    def _queue(self, command: m.QueueAudio) -> None:
        voice = self._voices.setdefault(command.voice, {})
        utterance = voice.get(command.utterance_id)
        if utterance is None:
            utterance = voice[command.utterance_id] = _Utterance(
                command.utterance_id, command.interruptible, command.rate_hz
            )
        utterance.chunks.append(command.pcm)
        utterance.final |= command.final

    # ------------------------------------------------------------ what the worker tells

    def see(self, event: Told) -> m.Event | None:
        """The event as the call is to hear it; None for what it knows already.

        Positions count from the beginning of the utterance, whichever worker sent it.
        """
        match event:
            case m.SpeechStarted(leg_id):
                self._speaking.add(leg_id)
            case m.SpeechStopped(leg_id):
                self._speaking.discard(leg_id)
            case m.DtmfSent(leg_id):
                self._keying.discard(leg_id)
            case m.KeystreamReached(leg_id):
                self._keystreams[leg_id] = event
                return None
            case m.LegClosed(leg_id):
                self._closing.discard(leg_id)
                self.legs.pop(leg_id, None)
            case _:
                return self._see_playout(event)
        return event

    def _see_playout(self, event: PlayoutEvent | m.PlayoutStarved) -> m.Event | None:
        utterance = self._find(event.utterance_id)
        if utterance is None:
            return event
        match event:
            case m.PlayoutStarted(at=at):
                known, utterance.announced, utterance.since = utterance.announced, True, at
                return None if known else event
            case m.PlayoutPaused(sent_samples=sent):
                utterance.sent, utterance.since = sent, None
            case m.PlayoutResumed(at=at):
                utterance.since = at
                return event
            case m.PlayoutStarved():
                pass
            case m.PlayoutCut():
                self._forget(utterance.id)
                event = msgspec.structs.replace(event, queued_samples=event.queued_samples + utterance.before)
            case m.PlayoutFinished():
                self._forget(utterance.id)
        if not utterance.before:
            return event
        return msgspec.structs.replace(event, sent_samples=event.sent_samples + utterance.before)

    def _find(self, utterance_id: UtteranceId) -> _Utterance | None:
        for voice in self._voices.values():
            if utterance_id in voice:
                return voice[utterance_id]
        return self._dying.get(utterance_id)

    def _forget(self, utterance_id: UtteranceId) -> None:
        self._dying.pop(utterance_id, None)
        for voice in self._voices.values():
            voice.pop(utterance_id, None)

    # ------------------------------------------------------------ another worker

    def lose(self, alive_at: float, now: float) -> list[m.Event]:
        """The worker is gone, and was heard of until ``alive_at``: what it would have told and nobody else will."""
        told: list[m.Event] = [m.SpeechStopped(leg_id, now, alive_at) for leg_id in sorted(self._speaking)]
        told += [m.DtmfSent(leg_id, "") for leg_id in sorted(self._keying)]
        for one in self._dying.values():
            told.append(m.PlayoutCut(self._call_id, one.id, one.position(alive_at), one.made, now))
        told += [m.LegClosed(leg_id, m.LegStats()) for leg_id in sorted(self._closing)]
        self._speaking.clear()
        self._keying.clear()
        self._dying.clear()
        self._closing.clear()
        for voice in self._voices.values():
            for one in voice.values():
                one.before, one.sent, one.since = one.position(alive_at), 0, None
        return told

    def replay(self) -> list[m.Command]:
        """What makes a worker that has the legs, and nothing else, go on with the call."""
        mix = [self._mix] if self._mix is not None else []
        pauses = sorted(self._paused, key=lambda pause: pause.voice)
        audio = [self._again(one, name) for name, voice in self._voices.items() for one in voice.values()]
        return [*map(self._set_again, self._settings.values()), *mix, *pauses, *audio]

    def _set_again(self, settings: m.ConfigureLeg) -> m.ConfigureLeg:
        heard = self._keystreams.get(settings.leg_id)
        if heard is None:
            return settings
        return msgspec.structs.replace(settings, heard_ssrc=heard.ssrc, heard_to=heard.index)

    def _again(self, one: _Utterance, voice: str) -> m.QueueAudio:
        return m.QueueAudio(self._call_id, one.id, one.rest(), one.final, one.interruptible, voice, one.rate_hz)


def _peer_key(settings: m.ConfigureLeg) -> tuple[str, bytes] | None:
    return (settings.srtp.suite, settings.srtp.receive) if settings.srtp is not None else None
