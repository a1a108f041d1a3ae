"""A bridged call in writing: what caller and callee say to each other by way of us, as facts and notes.

Nobody has to answer them; but whoever gets the caller back, and whoever reads the record, knows what was said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.agents.agent import Agent
from voicegw.base.ids import LegId
from voicegw.call import facts as f
from voicegw.call.edges import AGENT_EAR, ear_of
from voicegw.media import messages as m
from voicegw.ports.asr import AsrOptions
from voicegw.runtime.listener import Heard, Listener
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks


@dataclass(frozen=True, slots=True)
class BridgeLinks:
    """The rest of the call. ``bridged_to``: the leg of whoever talks with the caller now, and who that is."""

    caller: LegId
    bridged_to: Callable[[], tuple[LegId, str] | None]
    post: Callable[[AsrReported], None]
    tell_agent: Callable[[str], None]
    call_id: str


class BridgeEar:
    """Lives in the call task, but for :meth:`hear`."""

    def __init__(
        self, services: CallServices, agent: Agent, tasks: ChildTasks, book: LogBook, links: BridgeLinks
    ) -> None:
        self._book = book
        self._links = links
        self._bridged: tuple[LegId, str] | None = None

        def listener(who: str, heard: Callable[[Heard], None]) -> Listener:
            options = AsrOptions(agent.language, caller=f"{links.call_id} {who}")
            return Listener(services.asr, options, tasks, links.post, services.clock, services.random, heard)

        self._caller = listener("bridged caller", self._caller_said)
        self._callee = listener("callee", self._callee_said)
        self._target = ""

    def hear(self, pcm: bytes, ear: str, rate_hz: int = 8000) -> None:
        """What an ear got since the last time. Runs outside the mailbox: it moves data and decides nothing."""
        if ear == AGENT_EAR:
            self._caller.hear(pcm, rate_hz)
        elif self._bridged is not None and ear == ear_of(self._bridged[0]):
            self._callee.hear(pcm, rate_hz)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody began to speak, or fell silent."""
        if self._bridged is None:
            return
        if event.leg_id == self._links.caller:
            self._caller.on_speech(event)
        elif event.leg_id == self._bridged[0]:
            self._callee.on_speech(event)

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of ours."""
        return self._caller.on_asr(report) or self._callee.on_asr(report)

    def settle(self) -> None:
        """The call machine has moved on: caller and callee are together, or not any more."""
        bridged = self._links.bridged_to()
        if bridged == self._bridged:
            return
        self._bridged = bridged
        if bridged is not None:
            self._target = bridged[1]
        self._caller.finish()
        self._callee.finish()

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (self._caller.get_timer(), self._callee.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        self._caller.handle_timer(now)
        self._callee.handle_timer(now)

    @property
    def pending(self) -> bool:
        """Whether the last words are still being recognised."""
        return self._caller.pending or self._callee.pending

    def let_go(self) -> None:
        """Nothing more is asked of it."""
        del self._caller, self._callee

    def _caller_said(self, heard: Heard) -> None:
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.CallerSpoke(heard.text, heard.confidence, "", began, ended))
        self._links.tell_agent(f"The caller said to {self._target}: {heard.text}")

    def _callee_said(self, heard: Heard) -> None:
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.CalleeSpoke(self._target, heard.text, began, ended))
        self._links.tell_agent(f"{self._target} said to the caller: {heard.text}")
