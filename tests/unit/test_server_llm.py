"""What a node does with its language models before the first call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.agents.llm_step import SCRIPT
from tests.unit.agents.talk import FakeHttp
from tests.unit.agents.test_llm_files import MINIMAL
from voicegw.agents.load import load_agents
from voicegw.base.clock import SystemClock
from voicegw.base.metrics import Counters
from voicegw.config import LlmConfig
from voicegw.inference.llm.chain import ProviderChain
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.ports.llm import LlmRequest
from voicegw.server_llm import LlmParts

SERVER = ChatServerConfig("local", base_url="http://127.0.0.1:9/v1", model="m")


def test_models_of_agents_and_of_steps_are_warmed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clerk.yaml").write_text(MINIMAL)
    (tmp_path / "table.yaml").write_text(SCRIPT)
    warmed: list[LlmRequest] = []

    async def warm_up(self: ProviderChain, request: LlmRequest) -> dict[str, float]:
        warmed.append(request)
        return {}

    monkeypatch.setattr(ProviderChain, "warm_up", warm_up)

    async def story() -> None:
        parts = LlmParts(LlmConfig((SERVER,)), tmp_path / "tools.sqlite", FakeHttp(), SystemClock(), Counters())
        agents = load_agents(tmp_path, FakeHttp(), {}, parts)
        await parts.prepare(agents.values())
        await parts.close()

    asyncio.run(story())
    step, agent = sorted(warmed, key=lambda request: len(request.tools), reverse=True)
    assert agent.messages[0].content.endswith("Help.")
    assert [tool.name for tool in step.tools] == ["finish_step"]
    assert "Find a day for  guests." in step.messages[0].content
    assert {request.max_tokens for request in warmed} == {1}
