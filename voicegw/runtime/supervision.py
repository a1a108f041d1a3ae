"""A supervisor at work, as the call task sees it: what they say and do becomes facts, and notes for the agent.

Who hears whom is the call machine's; here are the keys of their phone, their voice in writing, and, while they have
the caller, the caller's voice too, so that the agent knows what was said when it gets the call back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voicegw.agents.agent import Agent
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import AGENT_EAR, RECORDED_IN, RECORDED_OUT, SUPERVISOR_EAR, Edge
from voicegw.call.facts import AnyFact
from voicegw.call.presence import Presence
from voicegw.call.supervision import SupervisorInput, SupervisorMode
from voicegw.media import messages as m
from voicegw.ports.asr import AsrOptions
from voicegw.runtime.listener import Heard, Listener
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.orders import Dismiss, Ordered, Supervise, WhisperText
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks

_MODES: Final = {
    SupervisorInput.LISTEN: SupervisorMode.LISTEN,
    SupervisorInput.WHISPER: SupervisorMode.WHISPER,
    SupervisorInput.BARGE: SupervisorMode.BARGE,
    SupervisorInput.TAKE_OVER: SupervisorMode.TAKEOVER,
    SupervisorInput.HAND_BACK: SupervisorMode.LISTEN,
    SupervisorInput.LEAVE: SupervisorMode.NONE,
}
_RECORDED: Final = (RECORDED_IN, RECORDED_OUT)


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A change of mode that the media worker has been asked for."""

    fact: f.SupervisorModeHasChanged
    edges: frozenset[tuple[str, str]]
    since: float


def _heard(edges: tuple[Edge, ...]) -> frozenset[tuple[str, str]]:
    """Who hears whom, whether it is recorded or not: the recorder may be deaf to what is sensitive."""
    return frozenset((source, sink) for source, sink, _ in edges if sink not in _RECORDED)


@dataclass(frozen=True, slots=True)
class SupervisionLinks:
    """The rest of the call. ``tell_agent``: a note that it reads with the next turn."""

    presence: Presence
    post: Callable[[e.SupervisorChose | AsrReported], None]
    tell_agent: Callable[[str], None]
    call_id: str


class SupervisionDesk:
    """Lives in the call task, but for :meth:`hear`."""

    def __init__(
        self, services: CallServices, agent: Agent, tasks: ChildTasks, book: LogBook, links: SupervisionLinks
    ) -> None:
        self._keys = services.supervision.keys
        self._book = book
        self._links = links
        self._last_mode = self._spoken_in = SupervisorMode.NONE

        def listener(who: str, options: AsrOptions, heard: Callable[[Heard], None]) -> Listener:
            known = AsrOptions(options.language, options.phrases, caller=f"{links.call_id} {who}")
            return Listener(services.asr, known, tasks, links.post, services.clock, services.random, heard)

        self._clock = services.clock
        self._awaited: list[_Awaited] = []
        self._waiting: list[tuple[SupervisorMode, Ordered]] = []
        self._supervisor = listener("supervisor", AsrOptions(agent.language), self._supervisor_said)
        options = AsrOptions(agent.language, agent.phrases())
        self._caller = listener("caller", options, self._caller_said)

    # ------------------------------------------------------------ what comes in

    def hear(self, pcm: bytes, ear: str) -> None:
        """What an ear got since the last time. Runs outside the mailbox: it moves data and decides nothing."""
        if ear == SUPERVISOR_EAR:
            self._supervisor.hear(pcm)
        elif ear == AGENT_EAR:
            self._caller.hear(pcm)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody began to speak, or fell silent; legs that nobody writes down are passed over."""
        presence = self._links.presence
        if event.leg_id == presence.leg_id:
            if isinstance(event, m.SpeechStarted):
                self._spoken_in = presence.mode
            if self._spoken_in is not SupervisorMode.LISTEN:
                self._supervisor.on_speech(event)
        elif presence.has_caller:
            self._caller.on_speech(event)

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of ours."""
        return self._supervisor.on_asr(report) or self._caller.on_asr(report)

    def on_key(self, leg_id: str, digit: str) -> bool:
        """A key; False if it was not a supervisor's."""
        if leg_id != self._links.presence.leg_id:
            return False
        if (chosen := self._keys.get(digit)) is not None:
            self._links.post(e.SupervisorChose(chosen))
        return True

    # ------------------------------------------------------------ orders and their effect

    def order(self, ordered: Ordered) -> e.CallEvent | None:
        """What the call machine is to be told, if anything; the answer is given when the effect is in force."""
        order, presence = ordered.order, self._links.presence
        match order:
            case WhisperText():
                self._whispered(order.name, order.text)
                ordered.carried_out()
                return None
            case Dismiss() if presence.leg_id is not None and presence.name == order.name:
                self._waiting.append((SupervisorMode.NONE, ordered))
                return e.SupervisorDismissed()
            case Supervise() if presence.leg_id is None:
                self._waiting.append((_MODES[order.wanted], ordered))
                return e.SupervisorOffered(order.leg_id, order.name, order.uri, order.wanted)
            case Supervise() if presence.name == order.name and presence.mode is not SupervisorMode.NONE:
                if presence.mode is _MODES[order.wanted]:
                    ordered.carried_out()
                    return None
                self._waiting.append((_MODES[order.wanted], ordered))
                return e.SupervisorChose(order.wanted)
            case Supervise():
                ordered.refuse(f"{presence.name} supervises this call already")
            case _:
                ordered.refuse("you do not supervise this call")
        return None

    def awaits(self, fact: AnyFact, edges: tuple[Edge, ...]) -> bool:
        """Keep a change of mode until it is in force, and then write it down; False for every other fact."""
        if not isinstance(fact, f.SupervisorModeHasChanged):
            return False
        self._awaited.append(_Awaited(fact, _heard(edges), self._clock.monotonic()))
        return True

    def mixed(self, event: m.MixChanged) -> None:
        """The media worker has changed who hears whom."""
        heard = _heard(event.edges)
        done = max((i for i, one in enumerate(self._awaited, start=1) if one.edges == heard), default=0)
        for one in self._awaited[:done]:
            # What was overtaken by another change was in force for no tick; it is over at the same moment.
            effect_ms = round((event.at - one.since) * 1000, 1)
            self._book.note(f.SupervisorModeHasChanged(one.fact.name, one.fact.mode, max(0.0, effect_ms)))
            self._answer(SupervisorMode(one.fact.mode))
        del self._awaited[:done]

    def _answer(self, mode: SupervisorMode) -> None:
        for wanted, ordered in self._waiting:
            if wanted is mode:
                ordered.carried_out()
        self._waiting = [(wanted, ordered) for wanted, ordered in self._waiting if wanted is not mode]

    def _refuse_all(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, []
        for wanted, ordered in waiting:
            if wanted is SupervisorMode.NONE:
                ordered.carried_out()
            else:
                ordered.refuse(reason)

    def _whispered(self, name: str, text: str) -> None:
        at = self._book.now_ms()
        self._book.note(f.SupervisorSpoke(name, "agent", text, at, at))
        self._links.tell_agent(f"A supervisor tells you, and the caller cannot hear it: {text}")

    def mode_changed(self) -> None:
        """The call machine has moved the supervisor on: a voice that nobody writes down any more has ended."""
        mode, before = self._links.presence.mode, self._last_mode
        self._last_mode = mode
        if self._links.presence.leg_id is None and self._waiting:
            self._refuse_all("the supervisor's phone did not take part")
        if before is SupervisorMode.TAKEOVER and mode is not SupervisorMode.TAKEOVER:
            self._caller.finish()
        if mode is not before:
            self._supervisor.finish()

    # ------------------------------------------------------------ deadlines

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (self._supervisor.get_timer(), self._caller.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        self._supervisor.handle_timer(now)
        self._caller.handle_timer(now)

    def stop(self) -> None:
        """The call is over."""
        self._supervisor.drop()
        self._caller.drop()
        self._refuse_all("the call has ended")
        for one in self._awaited:
            self._book.note(one.fact)
        self._awaited.clear()

    # ------------------------------------------------------------ what was said

    def _supervisor_said(self, heard: Heard) -> None:
        whispered = self._spoken_in is SupervisorMode.WHISPER
        to = "agent" if whispered else "caller"
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.SupervisorSpoke(self._links.presence.name, to, heard.text, began, ended))
        if whispered:
            self._links.tell_agent(f"A supervisor tells you, and the caller cannot hear it: {heard.text}")
        else:
            self._links.tell_agent(f"A supervisor said to the caller: {heard.text}")

    def _caller_said(self, heard: Heard) -> None:
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.CallerSpoke(heard.text, heard.confidence, "", began, ended))
        self._links.tell_agent(f"The caller said to the supervisor: {heard.text}")
