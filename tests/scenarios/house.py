"""A whole call without a wire: the real call task's logic, a manual clock, and fakes that are only the far ends.

The fake worker plays what is queued at exactly one sample per sample of the manual clock, as the real one does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicegw.agents.actions import AgentAction
from voicegw.agents.agent import Agent, AgentContext, AgentSession, CallerTurn, CallFacts, Expectation
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError, ProviderError
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.metrics import Counters
from voicegw.call import events as e
from voicegw.call.consent import RecordingPolicy
from voicegw.call.edges import AGENT
from voicegw.call.facts import AnyFact, Entry
from voicegw.call.transfer import TransferConfig
from voicegw.gateway.sip_traces import Listener, Trace
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trace_message import Passed
from voicegw.media import messages as m
from voicegw.ports.asr import AsrCapabilities, AsrEvent, AsrFailed, AsrFinal, AsrOptions, AsrPartial
from voicegw.ports.eot import EotModel
from voicegw.ports.tts import SpokenChunk, TtsAudio, TtsRequest
from voicegw.runtime.call_runtime import CallRuntime
from voicegw.runtime.music import load_music
from voicegw.runtime.offer import Offer
from voicegw.runtime.recording_runtime import RecordingRuntime
from voicegw.runtime.services import CallServices, Speaker
from voicegw.runtime.watched_asr import WatchedAsr
from voicegw.sdp.negotiate import MediaSession
from voicegw.sdp.recording import RecordedStream
from voicegw.testing.manual_clock import ManualClock

LEG = LegId("leg")
CALL = CallId("call")
TICK_S = 0.02
SAMPLES_PER_CHARACTER = 400
"""The fake voice takes 50 ms a character, so that tests can count."""


@dataclass
class FakeSignalling:
    """Accepts everything and remembers what was asked."""

    said: list[str] = field(default_factory=list)
    dialled: list[LegId] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    traces: dict[LegId, Trace] = field(default_factory=dict)
    first_traces: dict[LegId, Trace] = field(default_factory=dict)
    listeners: dict[LegId, Listener] = field(default_factory=dict)
    openings: dict[LegId, tuple[Passed, ...]] = field(default_factory=dict)
    owed: set[LegId] = field(default_factory=set)
    refers: bool = True
    presses: bool = False
    routes: bool = True
    hears_early: bool = True
    streams: tuple[RecordedStream, ...] | None = None
    far: str = "192.0.2.1"
    session: MediaSession | None = field(
        default_factory=lambda: MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, 101, 101)
    )

    def ring(self, leg_id: LegId) -> None:
        self.said.append("ring")

    def may_hear_early(self, leg_id: LegId) -> bool:
        return self.hears_early

    def early(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        self.said.append("early")
        return self.session

    def accept(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        self.said.append("accept")
        return self.session

    def accept_streams(
        self, leg_id: LegId, local_ip: str, ports: Mapping[int, int]
    ) -> tuple[RecordedStream, ...] | None:
        self.said.append(f"accept streams {sorted(ports)}")
        return self.streams

    def move_streams(self, leg_id: LegId, local_ip: str, ports: Mapping[int, int]) -> None:
        self.said.append(f"move streams {local_ip} {dict(ports)}")

    def reject(self, leg_id: LegId, cause: HangupCause) -> None:
        self.said.append(f"reject {cause.value.name}")

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        self.said.append(f"hangup {cause.value.name}")

    def move_media(self, leg_id: LegId, local_ip: str, local_port: int) -> None:
        self.said.append(f"move {leg_id} {local_ip}:{local_port}")

    def media_address(self, leg_id: LegId) -> str:
        return "192.0.2.2"

    def far_host(self, leg_id: LegId) -> str:
        return self.far

    def media_bind_address(self, leg_id: LegId) -> str:
        return "10.0.0.2"

    async def media_route(self, target_uri: str) -> tuple[str, str]:
        if not self.routes:
            raise LocalError("no such host")
        return "192.0.2.2", "10.0.0.2"

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
        self.said.append(f"dial {target_uri}")
        self.dialled.append(leg_id)
        self.headers = dict(headers)

    def send_keys(self, leg_id: LegId, digits: str) -> bool:
        if self.presses:
            self.said.append(f"press {digits}")
        return self.presses

    def may_refer(self, leg_id: LegId) -> bool:
        return self.refers

    def refer(
        self,
        leg_id: LegId,
        target_uri: str,
        replaced: LegId | None = None,
        headers: Sequence[tuple[str, str]] = (),
        payer: Payer = NOBODY,
    ) -> None:
        self.headers = dict(headers)
        self.said.append(f"refer {target_uri}" if replaced is None else "refer to replace us")

    def is_settled(self, leg_id: LegId) -> bool:
        return leg_id not in self.owed

    def take_first_trace(self, leg_id: LegId) -> Trace | None:
        return self.first_traces.pop(leg_id, None)

    def listen(self, leg_id: LegId, listener: Listener | None) -> tuple[Passed, ...]:
        if listener is None:
            self.listeners.pop(leg_id, None)
        else:
            self.listeners[leg_id] = listener
        return self.openings.get(leg_id, ())

    def take_trace(self, leg_id: LegId) -> Trace | None:
        return self.traces.pop(leg_id, None)


@dataclass
class _Queued:
    utterance_id: UtteranceId
    samples: int = 0
    sent: int = 0
    final: bool = False
    interruptible: bool = True
    started: bool = False


class FakeWorker:
    """The media worker's playout, exact to the tick, and whatever the test makes the caller do."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.queue: list[_Queued] = []
        self.announced: dict[str, _Queued] = {}
        self.edges: set[tuple[str, str]] = set()
        self.paused = False
        self.events: list[m.Event] = []
        self.commands: list[m.Command] = []
        self.ports = True
        self.room = True

    @property
    def has_room(self) -> bool:
        return self.room

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        if not self.ports:
            raise LocalError("no free port")
        return 40000

    def send(self, command: m.Command) -> None:
        self.commands.append(command)
        match command:
            case m.SetMix():
                self.edges = {(source, sink) for source, sink, _ in command.edges}
                self.events.append(m.MixChanged(CALL, command.edges, self.clock.monotonic()))
            case m.QueueAudio(voice=voice) if voice != AGENT:
                item = self.announced.setdefault(voice, _Queued(command.utterance_id))
                item.samples += len(command.pcm) // 2
                item.final = item.final or command.final
            case m.CutPlayout(voice=voice) if voice != AGENT:
                self.announced.pop(voice, None)
            case m.QueueAudio():
                self._queue(command)
            case m.PausePlayout():
                self.pause()
            case m.ResumePlayout():
                self.paused = False
            case m.CutPlayout():
                for item in self.queue:
                    self.events.append(
                        m.PlayoutCut(CALL, item.utterance_id, item.sent, item.samples, self.clock.monotonic())
                    )
                self.queue, self.paused = [], False
            case m.CloseLeg():
                self.events.append(m.LegClosed(command.leg_id, m.LegStats()))
            case _:
                pass

    def pause(self) -> bool:
        if self.paused:
            return False
        self.paused = True
        if not self.queue:
            return False
        head = self.queue[0]
        self.events.append(m.PlayoutPaused(CALL, head.utterance_id, head.sent, self.clock.monotonic()))
        return True

    def heard_by(self, sink: str) -> set[str]:
        """The sources that this sink hears."""
        return {source for source, to in self.edges if to == sink}

    def _tick_announcements(self) -> None:
        for voice, item in list(self.announced.items()):
            if not any(source == voice for source, _ in self.edges):
                continue
            item.sent = min(item.samples, item.sent + 160)
            if item.final and item.sent == item.samples:
                del self.announced[voice]
                now = self.clock.monotonic()
                self.events.append(m.PlayoutFinished(CALL, item.utterance_id, item.sent, now))

    def tick(self) -> None:
        """20 ms of playout."""
        self._tick_announcements()
        if self.paused or not self.queue:
            return
        head = self.queue[0]
        if not head.started and head.samples:
            head.started = True
            self.events.append(m.PlayoutStarted(CALL, head.utterance_id, self.clock.monotonic()))
        head.sent = min(head.samples, head.sent + 160)
        if head.final and head.sent == head.samples:
            self.queue.pop(0)
            self.events.append(m.PlayoutFinished(CALL, head.utterance_id, head.sent, self.clock.monotonic()))

    def _queue(self, command: m.QueueAudio) -> None:
        item = next((q for q in self.queue if q.utterance_id == command.utterance_id), None)
        if item is None:
            item = _Queued(command.utterance_id, interruptible=command.interruptible)
            self.queue.append(item)
        item.samples += len(command.pcm) // 2
        item.final = item.final or command.final


class FakeStream:
    """A recognition stream whose words the test supplies."""

    def __init__(self, ear: FakeAsr) -> None:
        self._ear = ear
        self._events: asyncio.Queue[AsrEvent | None] = asyncio.Queue()
        self.heard = b""
        self.finished = False

    def push(self, pcm: bytes) -> None:
        self.heard += pcm

    def finish(self) -> None:
        self.finished = True
        if self._ear.hung:
            return
        self.give(AsrFinal(self._ear.text, self._ear.confidence, 500.0, 10.0, self._ear.language))
        self._ear.text = ""

    def close(self) -> None:
        self._events.put_nowait(None)

    def give(self, event: AsrEvent) -> None:
        self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[AsrEvent]:
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, AsrFinal | AsrFailed):
                return


class FakeAsr:
    """Hears what the test says."""

    name = "fake"
    capabilities = AsrCapabilities(8000, partials=True, phrases=True)

    def __init__(self) -> None:
        self.text = ""
        self.confidence = 0.9
        self.language = ""
        self.dead = False
        self.hung = False
        self.stream: FakeStream | None = None
        self.options: AsrOptions | None = None

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def prepare(self, options: AsrOptions) -> None:
        pass

    def open(self, options: AsrOptions) -> FakeStream:
        self.options = options
        self.stream = FakeStream(self)
        if self.dead:
            self.stream.give(AsrFailed("killed", retryable=True))
        return self.stream


class FakeSpeaker:
    """A voice of fixed speed."""

    def __init__(self) -> None:
        self.dead = False
        self.asked: list[str] = []

    async def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS) -> AsyncIterator[SpokenChunk]:
        self.asked.append(request.text)
        if self.dead:
            raise ProviderError("fake", "no voice", retryable=True)
        yield TtsAudio(bytes(2 * SAMPLES_PER_CHARACTER * len(request.text)))


@dataclass
class ScriptedAgent:
    """Replies in order; remembers the turns it got."""

    replies: list[list[AgentAction]]
    turns: list[CallerTurn] = field(default_factory=list)
    contexts: list[AgentContext] = field(default_factory=list)
    heard_texts: list[str] = field(default_factory=list)
    name: str = "scripted"
    language: str = "en-US"
    voice: str = ""
    lexicon: Lexicons = NO_WORDS
    languages: Mapping[str, str] = field(default_factory=lambda: {"en-US": ""})
    collected: Mapping[str, str] = field(default_factory=dict)
    tools_version: int = 0
    speculative: bool = False

    recording = RecordingPolicy.ALWAYS
    early = False

    def phrases(self) -> tuple[str, ...]:
        return ("yes", "no")

    def expectations(self) -> tuple[Expectation, ...]:
        return ()

    def prompts(self, language: str) -> tuple[str, ...]:
        return ()

    def look_up(self, facts: CallFacts) -> None:
        return None

    def refuses(self, name: str, value: str, /) -> str:
        return "" if name == "order" else f"no {name}"

    def open(self, facts: CallFacts) -> ScriptedAgent:
        return self

    def heard(self, text: str) -> None:
        self.heard_texts.append(text)

    def checkpoint(self) -> object:
        return len(self.turns)

    def restore(self, checkpoint: object) -> None:
        assert isinstance(checkpoint, int)
        self.replies = [self._last, *self.replies] if len(self.turns) > checkpoint else self.replies
        del self.turns[checkpoint:]

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        self.turns.append(turn)
        self.contexts.append(context)
        self._last = self.replies.pop(0)
        for action in self._last:
            yield action


@dataclass
class OneSession:
    """An agent whose only call is a session that the test made."""

    session: AgentSession
    texts: tuple[str, ...] = ()
    name: str = "one"
    language: str = "en-US"
    voice: str = ""
    lexicon: Lexicons = NO_WORDS
    languages: Mapping[str, str] = field(default_factory=lambda: {"en-US": ""})

    recording = RecordingPolicy.ALWAYS
    early = False

    def phrases(self) -> tuple[str, ...]:
        return ()

    def expectations(self) -> tuple[Expectation, ...]:
        return ()

    def prompts(self, language: str) -> tuple[str, ...]:
        return self.texts

    def look_up(self, facts: CallFacts) -> None:
        return None

    def refuses(self, name: str, value: str, /) -> str:
        return "" if name == "order" else f"no {name}"

    def open(self, facts: CallFacts) -> AgentSession:
        return self.session


class FactList:
    """Facts in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.finished = False

    def append(self, call_id: CallId, entry: Entry) -> None:
        self.entries.append(entry)

    def finish(self, call_id: CallId) -> None:
        self.finished = True

    def of(self, kind: type[AnyFact]) -> list[AnyFact]:
        return [entry.data for entry in self.entries if isinstance(entry.data, kind)]


class House:
    """One call and everything around it."""

    def __init__(
        self,
        replies: list[list[AgentAction]],
        agent: Agent | None = None,
        speaker: Speaker | None = None,
        eot: EotModel | None = None,
        transfers: TransferConfig | None = None,
        recordings: Path | None = None,
        clock: ManualClock | None = None,
        counters: Counters | None = None,
        *,
        watched: bool = False,
        recorded: bool = False,
    ) -> None:
        self.clock = clock or ManualClock()
        self.signalling = FakeSignalling()
        self.worker = FakeWorker(self.clock)
        self.asr = FakeAsr()
        self.speaker = FakeSpeaker()
        self.agent = ScriptedAgent(replies)
        self.facts = FactList()
        seeded = random.Random(1)
        self.counters = counters or Counters()
        services = CallServices(
            self.signalling,
            self.worker,
            speaker or self.speaker,
            WatchedAsr(self.asr, self.counters) if watched else self.asr,
            self.facts,
            {"scripted": agent or self.agent},
            self.clock,
            seeded.randbytes,
            self.counters,
            recordings,
            eot=eot,
            transfers=transfers or TransferConfig(),
            music=load_music(transfers.music) if transfers and transfers.music else None,
        )
        offer = Offer(LEG, "sip-call-id", "demo", "+15550100", "", {}, recorded=recorded)
        self.gone: list[CallId] = []
        kind = RecordingRuntime if recorded else CallRuntime
        self.call = kind(CALL, offer, services, self.gone.append, self.adopt)

    def adopt(self, call: CallRuntime, leg_id: LegId) -> None:
        """There is only one call: every event is delivered to it anyway."""

    async def answer(self) -> None:
        """From INVITE to ACK."""
        self.call.post(e.CallOffered(LEG))
        self.call.post(e.RouteChosen("scripted"))
        await self.settle()
        self.call.post(e.LegConfirmed(LEG))
        await self.settle()

    async def settle(self) -> None:
        """Until nobody has anything left to do at this instant."""
        idle = 0
        while idle < 5:
            await asyncio.sleep(0)
            events, self.worker.events = self.worker.events, []
            for event in events:
                self.call.post(event)
            timer = self.call.get_timer()
            due = timer is not None and timer <= self.clock.monotonic()
            if due:
                self.call.handle_timers()
            idle = 0 if self.call.handle_waiting() or events or due else idle + 1

    async def run(self, seconds: float) -> None:
        """Let time pass, tick by tick."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end - 1e-9:
            self.clock.advance(TICK_S)
            self.worker.tick()
            await self.settle()

    async def caller_starts(self) -> None:
        """The VAD gate opens 60 ms after the onset; interruptible playout is paused in the same tick."""
        head = self.worker.queue[0] if self.worker.queue else None
        paused = head is not None and head.interruptible and self.worker.pause()
        self.call.post(m.SpeechStarted(LEG, self.clock.monotonic(), self.clock.monotonic() - 0.06, paused))
        await self.settle()

    async def caller_stops(self) -> None:
        """The gate closes 200 ms after the last sound."""
        self.call.post(m.SpeechStopped(LEG, self.clock.monotonic(), self.clock.monotonic() - 0.2))
        await self.settle()

    async def caller_pauses(self) -> None:
        """Silent for 150 ms: the gate is still open."""
        self.call.post(m.SpeechPaused(LEG, self.clock.monotonic(), self.clock.monotonic() - 0.15))
        await self.settle()

    async def hears(self, text: str) -> None:
        """The recogniser has this partial text, and will end with it."""
        self.asr.text = text
        if self.asr.stream is not None:
            self.asr.stream.give(AsrPartial(text))
        await self.settle()

    async def caller_says(self, text: str, seconds: float = 1.0) -> None:
        """A whole turn, up to the agent's decision."""
        await self.caller_starts()
        await self.run(seconds)
        await self.hears(text)
        await self.run(0.2)
        await self.caller_stops()
        await self.run(1.0)

    async def hang_up(self) -> None:
        """BYE from the caller."""
        self.call.post(e.LegEnded(LEG, HangupCause.CALLER_HANGUP))
        await self.settle()
