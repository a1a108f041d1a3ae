"""Drive an agent by text: turns in, what it says and how it ends out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from voicegw.agents.actions import AgentAction, Gather, Hangup, Say, Transfer
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, CallFacts, TurnKind
from voicegw.agents.flow import Flow
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.speakable import speakable
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.ports.http import HttpResponse

MONDAY = datetime(2026, 3, 2, 10)
FACTS = CallFacts(CallId("call-1"), called="demo", calling="+441234")
NO_INPUT = CallerTurn(TurnKind.NO_INPUT)
ASR_DOWN = CallerTurn(TurnKind.ASR_DOWN)
STARTED = CallerTurn(TurnKind.CALL_STARTED)


def speech(text: str, confidence: float = 0.9) -> CallerTurn:
    return CallerTurn(TurnKind.SPEECH, text, confidence)


def keys(digits: str) -> CallerTurn:
    return CallerTurn(TurnKind.DTMF, dtmf=digits)


@dataclass
class FakeHttp:
    """Answers by URL; a missing one is a failed connection. ``requests`` is what was asked."""

    answers: dict[str, HttpResponse] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], object]] = field(default_factory=list)
    max_body_bytes: int = 100_000
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], json_body: object | None, timeout_s: float
    ) -> HttpResponse:
        self.requests.append((method, url, dict(headers), json_body))
        self.asked.set()
        await asyncio.sleep(0)
        if url not in self.answers:
            raise ProviderError("webhook", "connection refused", retryable=True)
        return self.answers[url]


class Talk:
    """One call. ``last`` holds the actions of the last reply, ``said`` its words as a caller hears them."""

    def __init__(self, flow: Flow, http: FakeHttp | None = None, now: datetime = MONDAY) -> None:
        self.http = http or FakeHttp()
        self.session: AgentSession = FlowSession(flow, self.http, FACTS)
        self.context = AgentContext(FACTS, now)
        self._language = flow.script.language
        self.last: list[AgentAction] = []
        self.take(STARTED)

    def take(self, turn: CallerTurn) -> str:
        """Everything that is said in reply, in one text."""

        async def collect() -> list[AgentAction]:
            return [action async for action in self.session.reply(turn, self.context)]

        self.last = asyncio.run(collect())
        return self.said

    def say(self, *texts: str) -> str:
        """Speak one turn after the other; what the last one is answered."""
        for text in texts:
            self.take(speech(text))
        return self.said

    @property
    def said(self) -> str:
        says = [action.text for action in self.last if isinstance(action, Say)]
        return " ".join(speakable(text, self._language) for text in says)

    @property
    def gather(self) -> Gather:
        ending = self.last[-1]
        assert isinstance(ending, Gather), ending
        return ending

    @property
    def ended(self) -> Hangup | Transfer | None:
        ending = self.last[-1]
        return ending if isinstance(ending, Hangup | Transfer) else None

    @property
    def collected(self) -> Mapping[str, str]:
        return self.session.collected
