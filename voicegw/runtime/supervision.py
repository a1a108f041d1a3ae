"""Supervisors at work, as the call task sees them: what they say and do becomes facts, and notes for the agent.

Who hears whom is the call machine's; here are the keys of their phones, their voices in writing, and, while one has
the caller, the caller's voice too, so that the agent knows what was said when it gets the call back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import AGENT_EAR, RECORDED_IN, RECORDED_OUT, Edge, ear_of
from voicegw.call.facts import AnyFact
from voicegw.call.presence import Presence, Supervisors
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody waits for a supervisor to be in this mode; NONE: to be gone."""

    leg_id: LegId
    wanted: SupervisorMode
    ordered: Ordered

    @property
    def name(self) -> str:
        """Of the supervisor."""
        return self.ordered.order.name


def _heard(edges: tuple[Edge, ...]) -> frozenset[tuple[str, str]]:
    """Who hears whom, whether it is recorded or not: the recorder may be deaf to what is sensitive."""
    return frozenset((source, sink) for source, sink, _ in edges if sink not in _RECORDED)


@dataclass(frozen=True, slots=True)
class SupervisionLinks:
    """The rest of the call. ``tell_agent``: a note that it reads with the next turn."""

    supervisors: Supervisors
    post: Callable[[e.SupervisorChose | AsrReported], None]
    tell_agent: Callable[[str], None]
    call_id: str
    pause_recording: Callable[[str], None] = lambda _name: None
    """Pause the recording for this supervisor, or end their pause."""


@dataclass(slots=True)
class _Watched:
    """One supervisor at the desk: their voice, and the modes that tell what it is for."""

    presence: Presence
    listener: Listener
    last_mode: SupervisorMode = SupervisorMode.NONE
    spoken_in: SupervisorMode = SupervisorMode.NONE
    """What they did when they began to say what they are saying."""


class SupervisionDesk:
    """Lives in the call task, but for :meth:`hear`."""

    def __init__(
        self, services: CallServices, heard: AsrOptions, tasks: ChildTasks, book: LogBook, links: SupervisionLinks
    ) -> None:
        """``heard``: how callers are recognised; supervisors in the same language, whatever they say."""
        self._keys = services.supervision.keys
        self._recording_key = services.supervision.recording_key
        self._most = services.supervision.max_per_call
        self._book = book
        self._links = links
        self._clock = services.clock

        def listener(who: str, options: AsrOptions, heard: Callable[[Heard], None]) -> Listener:
            known = AsrOptions(options.language, options.phrases, caller=f"{links.call_id} {who}")
            return Listener(services.asr, known, tasks, links.post, services.clock, services.random, heard)

        self._listener = listener
        self._language = heard.language
        self._awaited: list[_Awaited] = []
        self._waiting: list[_Waiting] = []
        self._watched: dict[LegId, _Watched] = {}
        self._had_caller = False
        self._caller = listener("caller", heard, self._caller_said)

    def _watch(self, presence: Presence) -> _Watched:
        leg_id = presence.leg_id
        if leg_id not in self._watched:
            options = AsrOptions(self._language)
            voice = self._listener(leg_id, options, lambda heard: self._supervisor_said(leg_id, heard))
            self._watched[leg_id] = _Watched(presence, voice)
        return self._watched[leg_id]

    @property
    def _voices(self) -> tuple[Listener, ...]:
        return (self._caller, *(watched.listener for watched in self._watched.values()))

    # ------------------------------------------------------------ what comes in

    def hear(self, pcm: bytes, ear: str, rate_hz: int = 8000) -> None:
        """What an ear got since the last time. Runs outside the mailbox: it moves data and decides nothing."""
        if ear == AGENT_EAR:
            self._caller.hear(pcm, rate_hz)
            return
        for leg_id, watched in self._watched.items():
            if ear == ear_of(leg_id):
                watched.listener.hear(pcm, rate_hz)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped, caller: LegId) -> None:
        """Somebody began to speak, or fell silent; legs that nobody writes down are passed over."""
        presence = self._links.supervisors.find(event.leg_id)
        if presence is not None:
            watched = self._watch(presence)
            if isinstance(event, m.SpeechStarted):
                watched.spoken_in = presence.mode
            if watched.spoken_in is not SupervisorMode.LISTEN:
                watched.listener.on_speech(event)
        elif event.leg_id == caller and self._links.supervisors.holder is not None:
            self._caller.on_speech(event)

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of ours."""
        return any(voice.on_asr(report) for voice in self._voices)

    def on_key(self, leg_id: LegId, digit: str) -> bool:
        """A key; False if it was not a supervisor's."""
        presence = self._links.supervisors.find(leg_id)
        if presence is None:
            return False
        if (chosen := self._keys.get(digit)) is not None:
            self._links.post(e.SupervisorChose(leg_id, chosen))
        elif digit == self._recording_key:
            self._links.pause_recording(presence.name)
        return True

    # ------------------------------------------------------------ orders and their effect

    def order(self, ordered: Ordered) -> e.CallEvent | None:
        """What the call machine is to be told, if anything; the answer is given when the effect is in force."""
        order = ordered.order
        match order:
            case WhisperText():
                self._whispered(order.name, order.text)
                ordered.carried_out()
                return None
            case Supervise():
                return self._supervise(order, ordered)
            case Dismiss() if (presence := self._links.supervisors.named(order.name)) is not None:
                self._waiting.append(_Waiting(presence.leg_id, SupervisorMode.NONE, ordered))
                return e.SupervisorDismissed(presence.leg_id)
            case _:
                ordered.refuse("you do not supervise this call")
        return None

    def _supervise(self, order: Supervise, ordered: Ordered) -> e.CallEvent | None:
        present, wanted = self._links.supervisors, _MODES[order.wanted]
        mine, holder = present.named(order.name), present.holder
        if wanted is SupervisorMode.TAKEOVER and holder is not None and holder is not mine:
            ordered.refuse(f"{holder.name} has taken this call over")
            return None
        if mine is None:
            if len(present) >= self._most:
                ordered.refuse(f"{', '.join(one.name for one in present)} supervise this call already")
                return None
            self._waiting.append(_Waiting(order.leg_id, wanted, ordered))
            return e.SupervisorOffered(order.leg_id, order.name, order.uri, order.wanted)
        if mine.mode is SupervisorMode.NONE:
            ordered.refuse("your phone is ringing")
            return None
        if mine.mode is wanted:
            ordered.carried_out()
            return None
        self._waiting.append(_Waiting(mine.leg_id, wanted, ordered))
        return e.SupervisorChose(mine.leg_id, order.wanted)

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
            self._answer(one.fact.name, SupervisorMode(one.fact.mode))
        del self._awaited[:done]

    def _answer(self, name: str, mode: SupervisorMode) -> None:
        for one in self._waiting:
            if one.wanted is mode and one.name == name:
                one.ordered.carried_out()
        self._waiting = [one for one in self._waiting if one.wanted is not mode or one.name != name]

    def _refuse(self, gone: Callable[[_Waiting], bool], reason: str) -> None:
        for one in filter(gone, self._waiting):
            if one.wanted is SupervisorMode.NONE:
                one.ordered.carried_out()
            else:
                one.ordered.refuse(reason)
        self._waiting = [one for one in self._waiting if not gone(one)]

    def _whispered(self, name: str, text: str) -> None:
        at = self._book.now_ms()
        self._book.note(f.SupervisorSpoke(name, "agent", text, at, at))
        self._links.tell_agent(f"A supervisor tells you, and the caller cannot hear it: {text}")

    def mode_changed(self) -> None:
        """The call machine has moved supervisors on: a voice that nobody writes down any more has ended."""
        present = self._links.supervisors
        for presence in present:
            self._watch(presence)
        self._refuse(lambda one: present.find(one.leg_id) is None, "the supervisor's phone did not take part")
        for watched in self._watched.values():
            mode = watched.presence.mode
            if mode is not watched.last_mode:
                watched.last_mode = mode
                watched.listener.finish()
        had_caller, self._had_caller = self._had_caller, present.holder is not None
        if had_caller and not self._had_caller:
            self._caller.finish()

    # ------------------------------------------------------------ deadlines

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (voice.get_timer() for voice in self._voices)
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        for voice in self._voices:
            voice.handle_timer(now)

    def stop(self) -> None:
        """The call is over."""
        for voice in self._voices:
            voice.drop()
        self._refuse(lambda _one: True, "the call has ended")
        for one in self._awaited:
            self._book.note(one.fact)
        self._awaited.clear()

    def let_go(self) -> None:
        """Nothing more is asked of it."""
        self._watched.clear()
        del self._caller

    # ------------------------------------------------------------ what was said

    def _supervisor_said(self, leg_id: LegId, heard: Heard) -> None:
        watched = self._watched[leg_id]
        whispered = watched.spoken_in is SupervisorMode.WHISPER
        to = "agent" if whispered else "caller"
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.SupervisorSpoke(watched.presence.name, to, heard.text, began, ended))
        if whispered:
            self._links.tell_agent(f"A supervisor tells you, and the caller cannot hear it: {heard.text}")
        else:
            self._links.tell_agent(f"A supervisor said to the caller: {heard.text}")

    def _caller_said(self, heard: Heard) -> None:
        began, ended = self._book.position_ms(heard.began_at), self._book.position_ms(heard.ended_at)
        self._book.note(f.CallerSpoke(heard.text, heard.confidence, "", began, ended))
        self._links.tell_agent(f"The caller said to the supervisor: {heard.text}")
