"""The recorder of one call: runs when policy and consent allow it, is deaf to what is sensitive, leaves nothing of
what the caller does not want."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voicegw.agents.actions import ConsentAnswered
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.call.consent import Consent, RecordingPolicy
from voicegw.call.edges import RECORDED_IN, RECORDED_OUT, Edge
from voicegw.media import messages as m
from voicegw.recording.recovery import remove_recording
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.services import MediaControl

log = logging.getLogger(__name__)

_RECORDED = (RECORDED_IN, RECORDED_OUT)


@dataclass(frozen=True, slots=True)
class _State:
    consent: Consent
    sensitive: bool = False
    paused_by: frozenset[str] = frozenset()

    @property
    def deaf(self) -> bool:
        """Whether silence is recorded in place of what is heard."""
        return self.sensitive or bool(self.paused_by)


class CallRecorder:
    """Tells the media worker when to record, and the log of the call when to write down what is said."""

    def __init__(
        self,
        call_id: CallId,
        media: MediaControl,
        folder: Path | None,
        book: LogBook,
        counters: Counters,
        *,
        suffix: str = "wav",
    ) -> None:
        """Recordings go into ``folder``; None for no recordings."""
        self._call_id = call_id
        self._media = media
        self._folder = folder
        self._suffix = suffix
        self._book = book
        self._counters = counters
        self._state = self._settled = _State(Consent())
        self._edges: tuple[Edge, ...] = ()
        self._running = False
        self._ending = 0
        self._over = False
        self._unanswered = False
        self._discarding = False
        self._parts = 1
        self._is_begun = False
        self.on_heard: Callable[[bool, bool], None] = lambda _audible, _revoked: None
        """Is told whether what is said may be kept now, and whether what was kept may not stay."""
        self._orphans: list[str] = []
        """What media workers that died have left, under the names that were wished."""

    @property
    def _path(self) -> str:
        """Of the present recording; empty where there are to be none."""
        part = f"-{self._parts}" if self._parts > 1 else ""
        return str(self._folder / f"{self._call_id}{part}.{self._suffix}") if self._folder is not None else ""

    @property
    def pending(self) -> bool:
        """Whether the media worker still has something to tell about a recording."""
        return self._running or self._ending > 0

    # ------------------------------------------------------------ what the call says

    def begin(self, policy: RecordingPolicy, *, early: bool = False) -> None:
        """The agent is about to begin; ``early``: in a call that is not answered, of which no audio is kept."""
        self._unanswered, self._is_begun = early, True
        self._change(_State(Consent(policy)))
        self.settle()

    def answer(self) -> None:
        """The call is answered now."""
        if self._unanswered:
            self._unanswered = False
            self._change(self._state)

    def mix(self, edges: Sequence[Edge]) -> None:
        """From now on these hear one another; the recorder among them hears nothing that is sensitive."""
        self._edges = tuple(edges)
        deaf = self._state.deaf
        self._media.send(
            m.SetMix(self._call_id, tuple(e for e in self._edges if not deaf or e[1] not in _RECORDED))
        )

    def stop(self) -> None:
        """The call is over."""
        self._over = True
        self._stop(discard=False)

    def go_on(self, reason: str) -> None:
        """Another media worker has the call. What the last one wrote is a file of its own, and another begins."""
        over = self._over
        self.lose(reason)
        self._parts += 1
        self._over = over
        self._change(self._state)

    def lose(self, reason: str) -> None:
        """Nothing more will come from the media worker."""
        if self.pending:
            self._book.note(f.RecordingHasFailed(self._path, reason))
            self._orphans.append(self._path)
        self._running, self._ending, self._over = False, 0, True
        if self._discarding:
            self._remove_orphans()

    # ------------------------------------------------------------ what the conversation says

    def answered(self, action: ConsentAnswered) -> None:
        """The caller said yes or no."""
        fact = f.ConsentWasGiven if action.given else f.ConsentWasRefused
        self._book.note(fact(action.question, action.answer))
        self._change(replace(self._state, consent=replace(self._state.consent, given=action.given)))

    def listen(self, *, sensitive: bool) -> None:
        """The caller is asked for something."""
        self._change(replace(self._state, sensitive=sensitive))

    def pause(self, by: str, *, paused: bool) -> None:
        """Record silence, or what is heard again when everybody who paused it wants that."""
        changed = self._state.paused_by | {by} if paused else self._state.paused_by - {by}
        self._change(replace(self._state, paused_by=changed))

    def order_pause(self, by: str, *, paused: bool) -> bool:
        """The same for somebody whose wish outlives the agent's reply; False where nothing is recorded."""
        if not self._running:
            return False
        settled = self._settled.paused_by | {by} if paused else self._settled.paused_by - {by}
        self._settled = replace(self._settled, paused_by=settled)
        self.pause(by, paused=paused)
        return True

    def toggle_pause(self, by: str) -> None:
        """By a key: pause, or end one's own pause."""
        self.order_pause(by, paused=by not in self._state.paused_by)

    def settle(self) -> None:
        """A new reply begins: what the last one changed stays."""
        self._settled = self._state

    def undo(self) -> None:
        """The reply never came about, for the caller went on speaking: neither did what it changed."""
        self._change(self._settled)

    # ------------------------------------------------------------ what the media worker says

    def on_media(
        self, event: m.RecordingStarted | m.RecordingEnded | m.RecordingDiscarded | m.RecordingFailed
    ) -> None:
        """How a recording began, or ended."""
        if isinstance(event, m.RecordingStarted):
            self._book.note(f.RecordingHasStarted(event.path))
            return
        if self._ending:
            self._ending -= 1
        else:
            self._running = False
        match event:
            case m.RecordingEnded():
                self._book.note(f.RecordingHasEnded(event.path, event.samples, event.dropped_samples))
            case m.RecordingDiscarded():
                self._discarding = False
                self._book.note(f.RecordingWasDiscarded(event.path))
            case m.RecordingFailed():
                self._over = True
                self._counters.add("recording_failed")
                self._book.note(f.RecordingHasFailed(event.path, event.reason))
                log.error("recording failed, the call goes on", extra={"path": event.path, "reason": event.reason})

    # ------------------------------------------------------------ carrying it out

    def _change(self, state: _State) -> None:
        before, self._state = self._state, state
        self._book.censor.withheld = not state.consent.transcribe
        self._book.censor.sensitive = state.sensitive
        for name in sorted(state.paused_by - before.paused_by):
            self._book.note(f.RecordingWasPaused(name))
        for name in sorted(before.paused_by - state.paused_by):
            self._book.note(f.RecordingWasResumed(name))
        if before.deaf != state.deaf:
            self.mix(self._edges)
        if not state.consent.record:
            self._stop(discard=True)
            self._remove_orphans()
        else:
            self._start()
        audible = self._is_begun and state.consent.record and not state.deaf and not self._unanswered
        self.on_heard(audible, self._is_begun and not state.consent.record)

    def _start(self) -> None:
        if self._path and not self._running and not self._over and not self._unanswered:
            self._running = True
            self._media.send(m.StartRecording(self._call_id, self._path))

    def _stop(self, *, discard: bool) -> None:
        if self._running:
            self._running, self._discarding = False, discard
            self._ending += 1
            self._media.send(m.StopRecording(self._call_id, discard))

    def _remove_orphans(self) -> None:
        """What nobody else can remove any more: their worker is gone, and the next start would finish them."""
        for path in map(Path, self._orphans):
            try:
                for part in path.parent.glob(f"{path.name}*.part"):
                    remove_recording(part)
            except OSError as error:
                log.error("a recording cannot be removed: %s", error, extra={"path": str(path)})
                continue
            self._book.note(f.RecordingWasDiscarded(str(path)))
        self._orphans.clear()
