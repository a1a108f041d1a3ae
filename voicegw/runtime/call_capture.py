"""The packet capture of one call: begins by order, has only what may be kept of the call, ends with it.

The media worker writes the file, because it has the audio; SIP is passed on to it from here. What is said and keyed
in is in it under the same conditions as in a recording: a caller who refuses has it removed, and where a recording
would be silent there are headers only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voicegw.base.ids import CallId, LegId
from voicegw.call.capture_facts import CaptureHasEnded, CaptureHasStarted
from voicegw.gateway.blotting import without_words
from voicegw.gateway.trace_message import Passed
from voicegw.media import messages as m
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.orders import Ordered, StartCapture, StopCapture
from voicegw.runtime.services import CallServices

log = logging.getLogger(__name__)

HEADS: Final = "-heads"
"""Behind the name of a capture that was ordered without audio."""
_MB: Final = 1_000_000
_MOST_WAITING: Final = 200
"""Messages of a call whose media are yet to begin."""


@dataclass(slots=True)
class _Running:
    """``path``: as it was wished, empty before the call has media. ``had_audio``: there is more than headers."""

    order: StartCapture
    path: str = ""
    had_audio: bool = False
    is_ending: bool = False


class CallCapture:
    """Lives in the call task, but for what is heard of SIP, which only passes by."""

    def __init__(self, call_id: CallId, services: CallServices, book: LogBook, *, hides_keys: bool) -> None:
        self._call_id = call_id
        self._services = services
        self._book = book
        self._hides_keys = hides_keys
        self._running: _Running | None = None
        self._waiting: list[m.CaptureMessage] = []
        self._starting: list[Ordered] = []
        self._stopping: list[Ordered] = []
        self._followed: list[LegId] = []
        self._has_media = self._is_audible = False
        self._parts = 0

    # ------------------------------------------------------------ what is ordered

    def take(self, ordered: Ordered, leg_ids: Iterable[LegId]) -> None:
        """Begin or end it; answered when that is in force."""
        if isinstance(ordered.order, StopCapture):
            if self._running is None:
                ordered.refuse("the call is not being captured")
                return
            self._stopping.append(ordered)
            self._stop(discard=False)
        elif isinstance(ordered.order, StartCapture):
            if why := self._refusal():
                ordered.refuse(why)
                return
            self._starting.append(ordered)
            self._running = _Running(ordered.order)
            for leg_id in leg_ids:
                self.follow(leg_id)
            self._begin()

    def _refusal(self) -> str:
        if self._running is not None:
            return "the call is being captured already"
        if self._services.recordings is None:
            return "captures lie with the recordings, for which there is no place: set paths.recordings"
        return self._services.captures.take(self._call_id)

    # ------------------------------------------------------------ what happens in the call

    def media_opened(self) -> None:
        """A leg of the call is in the media worker: from now on there is somebody who writes."""
        self._has_media = True
        self._begin()

    def follow(self, leg_id: LegId) -> None:
        """This leg is one of the call's."""
        if self._running is None or leg_id in self._followed:
            return
        self._followed.append(leg_id)
        self._tell_opening(leg_id)

    def _tell_opening(self, leg_id: LegId) -> None:
        for passed in self._services.signalling.listen(leg_id, self._passed):
            self._passed(passed)

    def hear(self, *, audible: bool, revoked: bool) -> None:
        """What is said may be kept from now on, or not. ``revoked``: what was kept must not have been."""
        self._is_audible = audible
        running = self._running
        if running is None or not running.path:
            return
        if revoked and running.had_audio and not running.is_ending:
            self._stop(discard=True)
            self._running = _Running(running.order)
            self._begin()
            for leg_id in self._followed:
                self._tell_opening(leg_id)
            return
        running.had_audio |= running.order.audio and audible
        self._services.media.send(m.ChangeCapture(self._call_id, *self._scope(running.order)))

    def finish(self) -> bool:
        """The call is over, and nothing more is said on the wire: end it; whether it has ended."""
        if self._running is not None and not self._running.is_ending:
            self._stop(discard=False)
        return self._running is None

    def lose(self, reason: str) -> None:
        """Nothing more will come from the media worker; what it has written is finished at the next start."""
        if self._running is not None:
            self._over(CaptureHasEnded(self._running.path, 0, 0, 0, reason))

    # ------------------------------------------------------------ what the media worker says

    def on_media(self, event: m.CaptureStarted | m.CaptureEnded) -> None:
        """How it began, or ended."""
        running = self._running
        if isinstance(event, m.CaptureStarted):
            if running is not None:
                self._book.note(CaptureHasStarted(running.order.name, event.path, running.order.audio))
            for ordered in self._starting:
                ordered.carried_out()
            self._starting.clear()
            return
        fact = CaptureHasEnded(event.path, event.packets, event.size, event.dropped, event.reason)
        if event.dropped:
            self._services.counters.add("capture_packets_dropped", event.dropped)
        if running is None or running.path != event.wish:
            self._book.note(fact)  # of one that was removed, and another one goes on
            return
        self._over(fact)

    def _over(self, fact: CaptureHasEnded) -> None:
        self._running = None
        self._services.captures.give_back(self._call_id)
        for leg_id in self._followed:
            self._services.signalling.listen(leg_id, None)
        self._followed.clear()
        self._waiting.clear()
        if self._starting:
            for ordered in self._starting:
                ordered.refuse(fact.reason)
            self._starting.clear()
        else:
            self._book.note(fact)
        for ordered in self._stopping:
            ordered.carried_out()
        self._stopping.clear()

    # ------------------------------------------------------------ carrying it out

    def _begin(self) -> None:
        running, folder = self._running, self._services.recordings
        if running is None or running.path or not self._has_media or folder is None:
            return
        self._parts += 1
        order, config = running.order, self._services.captures.config
        running.path = str(folder / capture_name(self._call_id, self._parts, audio=order.audio))
        audio, keys = self._scope(order)
        running.had_audio = audio
        most = round(min(order.max_mb, config.max_mb) * _MB)
        seconds = min(order.max_s, config.max_seconds)
        media = self._services.media
        media.send(m.StartCapture(self._call_id, running.path, audio, keys, most, seconds))
        for message in self._waiting:
            media.send(message)
        self._waiting.clear()
        self._services.counters.add("captures_started")
        log.info("a call is being captured", extra={"by": order.name, "audio": order.audio})

    def _stop(self, *, discard: bool) -> None:
        running = self._running
        if running is None or running.is_ending:
            return
        if not running.path:
            self._over(CaptureHasEnded("", 0, 0, 0, "the call had no audio"))
            return
        running.is_ending = True
        self._services.media.send(m.StopCapture(self._call_id, discard))

    def _scope(self, order: StartCapture) -> tuple[bool, bool]:
        """Whether what is said, and what is keyed in, is written now."""
        audio = order.audio and self._is_audible
        return audio, audio and not self._hides_keys

    def _passed(self, passed: Passed) -> None:
        here, peer = (passed.here.host, passed.here.port), (passed.peer.host, passed.peer.port)
        source, target = (here, peer) if passed.sent else (peer, here)
        clock = self._services.clock
        wall_us = round((clock.wall() - clock.monotonic() + passed.at) * 1_000_000)
        data = without_words(passed.data)
        message = m.CaptureMessage(self._call_id, wall_us, source, target, data)
        if self._running is not None and self._running.path:
            self._services.media.send(message)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(message)


def capture_name(call_id: CallId, part: int, *, audio: bool) -> str:
    """The name of the file: calls may be captured several times. Whoever may not hear a call can tell by it."""
    return f"{call_id}-{part}{'' if audio else HEADS}.pcap"
