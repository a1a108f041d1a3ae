"""The voices of a recording session in writing: one listener for each stream, and who speaks in it, as facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import ear_of
from voicegw.call.recording_facts import ParticipantSpoke
from voicegw.media import messages as m
from voicegw.ports.asr import AsrOptions
from voicegw.runtime.listener import Heard, Listener
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose voice is in a stream, as far as it is known: ``participant`` is an id of the metadata."""

    label: str
    participant: str = ""
    name: str = ""


class StreamEars:
    """Lives in the call task, but for :meth:`hear`. ``speaker``: who speaks in the stream of a leg, just now."""

    def __init__(
        self,
        call_id: CallId,
        services: CallServices,
        tasks: ChildTasks,
        book: LogBook,
        post: Callable[[AsrReported], None],
        speaker: Callable[[LegId], Speaker],
    ) -> None:
        self._call_id = call_id
        self._services = services
        self._tasks = tasks
        self._book = book
        self._post = post
        self._speaker = speaker
        self._listeners: dict[LegId, Listener] = {}
        self._legs: dict[str, LegId] = {}
        self._over: set[LegId] = set()
        self.language = ""
        """What is spoken; of the streams that are listened to from now on."""

    def listen(self, leg_id: LegId) -> None:
        """A stream has begun; nothing for one that is listened to already."""
        if leg_id in self._listeners:
            return
        for gone in [gone for gone in self._over if not self._listeners[gone].pending]:
            self._over.discard(gone)
            del self._listeners[gone], self._legs[ear_of(gone)]
        services = self._services
        options = AsrOptions(self.language, caller=f"{self._call_id} {leg_id}")
        self._listeners[leg_id] = Listener(
            services.asr,
            options,
            self._tasks,
            self._post,
            services.clock,
            services.random,
            lambda heard: self._said(leg_id, heard),
        )
        self._legs[ear_of(leg_id)] = leg_id

    def finish(self, leg_id: LegId) -> None:
        """A stream is over: what is being said in it now are its last words."""
        if (listener := self._listeners.get(leg_id)) is not None:
            listener.finish()
            self._over.add(leg_id)

    def finish_all(self) -> None:
        """The recording session is over."""
        for listener in self._listeners.values():
            listener.finish()

    # ------------------------------------------------------------ as Ears

    def hear(self, pcm: bytes, ear: str, rate_hz: int = 8000) -> None:
        """What an ear got since the last time. Runs outside the mailbox: it moves data and decides nothing."""
        if (leg_id := self._legs.get(ear)) is not None:
            self._listeners[leg_id].hear(pcm, rate_hz)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody began to speak, or fell silent."""
        if (listener := self._listeners.get(event.leg_id)) is not None:
            listener.on_speech(event)

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of ours."""
        return any(listener.on_asr(report) for listener in self._listeners.values())

    def settle(self) -> None:
        """Nothing: what begins and ends a voice here is told."""

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (listener.get_timer() for listener in self._listeners.values())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        for listener in self._listeners.values():
            listener.handle_timer(now)

    @property
    def pending(self) -> bool:
        """Whether last words are still being recognised."""
        return any(listener.pending for listener in self._listeners.values())

    def let_go(self) -> None:
        """Nothing more is asked of it."""
        self._listeners.clear()

    def _said(self, leg_id: LegId, heard: Heard) -> None:
        who = self._speaker(leg_id)
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(
            ParticipantSpoke(who.label, who.participant, who.name, heard.text, heard.confidence, began, ended)
        )
