"""A rehearsed outage: one call of an LLM agent with everything real but the far ends, on a manual clock.

The chain of models, breakers, tools with their desk, synthesisers under watch, prompts, the recogniser under watch,
the ladder and the call task are the real ones. What the test changes is the mode of a far end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise

from tests.scenarios.house import CALL, LEG, SAMPLES_PER_CHARACTER, House, OneSession
from tests.unit.agents.test_llm_session import SYSTEM, MemoryLedger
from tests.unit.runtime.test_speech import NoAsr
from voicegw.agents.agent import AgentSession, CallFacts
from voicegw.agents.ladder_model import LadderModel, ladder_prompts
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmLimits, LlmSettings, LlmTexts
from voicegw.agents.llm_state import LlmState
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool
from voicegw.base.breaker import BreakerConfig, CircuitBreaker
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.inference.llm.attempt import Guarded
from voicegw.inference.llm.chain import ProviderChain
from voicegw.inference.llm.config import BudgetConfig
from voicegw.media import messages as m
from voicegw.ports.llm import (
    FinishReason,
    LlmCapabilities,
    LlmEvent,
    LlmFinished,
    LlmRequest,
    TextDelta,
    ToolCallRequested,
)
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.speech import Speech
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by, settle

LONGEST_SILENCE_S = 3.0
GREETING = "Hello."
ANSWER = "We are open from eight to six. And on Saturdays until noon."
TEXTS = LlmTexts(GREETING)
NEVER_S = 1e6
PATIENT_MS = 60_000
"""No prompt for silence in the middle of what is measured."""


@dataclass
class Model:
    """A language model.

    ``mode``: well, late (1 s), slow (2.5 s), hung, dead, torn or stalled (in mid-answer), tool.
    """

    name: str
    mode: str = "well"
    asked: int = 0
    capabilities: LlmCapabilities = field(default_factory=LlmCapabilities)

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def warm_up(self, request: LlmRequest) -> float:
        return 0.0

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        self.asked += 1
        await asyncio.sleep({"slow": 2.5, "late": 1.0, "hung": NEVER_S}.get(self.mode, 0.3))
        if self.mode == "hung":
            raise ProviderError(self.name, "no first word", retryable=True)
        if self.mode == "dead":
            raise ProviderError(self.name, "HTTP 500", retryable=True)
        if self.mode == "tool" and not any(message.tool_call_id for message in request.messages):
            yield ToolCallRequested("1", "order_status", '{"order":"4711"}')
            yield LlmFinished(FinishReason.TOOL_CALLS)
            return
        first, rest = ANSWER[:36], ANSWER[36:]
        yield TextDelta(first)
        if self.mode == "stalled":
            await asyncio.sleep(4.0)
        if self.mode in ("torn", "stalled"):
            raise ProviderError(self.name, "gone in mid-answer", retryable=True)
        yield TextDelta(rest)
        yield LlmFinished(FinishReason.STOP)


@dataclass
class Voice:
    """A synthesiser. ``mode``: well, dead, hung, stalled."""

    name: str
    mode: str = "well"
    capabilities: TtsCapabilities = field(default_factory=lambda: TtsCapabilities(True, False))

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        if self.mode == "dead":
            raise ProviderError(self.name, "killed", retryable=True)
        if self.mode == "hung":
            await asyncio.sleep(NEVER_S)
        pcm = bytes(2 * SAMPLES_PER_CHARACTER * len(request.text))
        yield TtsAudio(pcm[: len(pcm) // 4 * 2])
        if self.mode == "stalled":
            await asyncio.sleep(NEVER_S)
        yield TtsAudio(pcm[len(pcm) // 4 * 2 :])


class Rehearsal:
    """The call, its far ends, and how long the caller heard nothing."""

    def __init__(
        self,
        ladder: LadderModel,
        *tools: Tool,
        script: AgentSession | None = None,
        no_input_ms: int = PATIENT_MS,
        budget: BudgetConfig | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.first, self.second = Model("first"), Model("second")
        self.voices = Voice("flite"), Voice("espeak")
        counters = Counters()
        members = [Guarded(model, CircuitBreaker(BreakerConfig())) for model in (self.first, self.second)]
        chain = ProviderChain(members, clock=self.clock, counters=counters)
        registry = ToolRegistry(tools)
        held = CallTools(
            CallFacts(CALL, "demo", "+15550100"),
            lambda: registry,
            ToolDesk(MemoryLedger(), self.clock, counters),
        )
        settings = LlmSettings("en-US", TEXTS, LlmLimits(no_input_ms=no_input_ms), ladder=ladder)
        session = LlmSession(settings, LlmState((SYSTEM,)), chain.for_call(budget), held, script)
        fixed = (GREETING, TEXTS.no_input, TEXTS.asr_down, TEXTS.failed, TEXTS.goodbye, *ladder_prompts(ladder))
        self.agent = OneSession(session, texts=fixed)
        self.speech = Speech(NoAsr(), self.voices, counters, clock=self.clock, house=HouseTexts())
        self.house = House([], self.agent, self.speech, clock=self.clock, counters=counters, watched=True)
        self.asr = self.house.asr
        self.counters = counters
        self._audible: list[float] = []

    def play(self, story: Coroutine[None, None, None]) -> None:
        """Run the test on the loop of the manual clock, once the prompts are made."""

        async def whole() -> None:
            await self.speech.prepare([self.agent])
            await self.speech.prompts.wait()
            await story
            await self.speech.close()

        run_by(self.clock, whole())

    async def answer(self) -> None:
        """The call is answered and greeted."""
        await self.house.answer()
        await self.run(1.0)
        assert self.heard == [GREETING]

    async def run(self, seconds: float) -> None:
        """Let time pass and listen."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end - 1e-9:
            queue = self.house.worker.queue
            before = sum(item.sent for item in queue)
            head = queue[0] if queue else None
            await settle()
            await self.house.run(0.02)
            if head is not None and sum(item.sent for item in queue) + (head not in queue) > before:
                self._audible.append(self.clock.monotonic())

    async def ask(self, text: str, seconds: float = 15.0) -> float:
        """The caller says something; the longest silence from their last word to the agent's, in seconds."""
        await self.house.caller_starts()
        await self.run(1.0)
        await self.house.hears(text)
        await self.run(0.2)
        stopped = self.clock.monotonic() - 0.2
        await self.house.caller_stops()
        await self.run(seconds)
        return self.longest_silence(stopped)

    async def press(self, key: str, seconds: float = 8.0) -> float:
        """The caller presses a key; the longest silence from it to the agent's last word."""
        pressed = self.clock.monotonic()
        self.house.call.post(m.DtmfReceived(LEG, key, 100))
        await self.run(seconds)
        return self.longest_silence(pressed)

    def longest_silence(self, since: float) -> float:
        """Of the pauses between ``since`` and the last audible moment. Something must have been heard."""
        times = [since, *(at for at in self._audible if at > since)]
        assert len(times) > 1, "the caller never heard a word"
        return max(after - before for before, after in pairwise(times))

    @property
    def heard(self) -> list[str]:
        """What the caller heard of each utterance."""
        return [fact.heard for fact in self.house.facts.of(f.AgentSpoke) if isinstance(fact, f.AgentSpoke)]

    @property
    def moves(self) -> list[str]:
        """Who served the call, in order, as the record has it."""
        moved = self.house.facts.of(f.ServiceHasMoved)
        return [fact.to for fact in moved if isinstance(fact, f.ServiceHasMoved)]

    @property
    def ended(self) -> str:
        """How we ended the call; empty while it goes on."""
        return next((said for said in self.house.signalling.said if said.startswith("hangup")), "")
