"""A node around engines that are handed in: everything as it ships, but for what recognises, thinks and speaks.

:func:`voicegw.server.build` is the same for the engines that a configuration names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from voicegw.agents.agent import Agent
from voicegw.agents.llm_agent import LlmNeeds
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.base.clock import SystemClock
from voicegw.base.metrics import Counters
from voicegw.config import Config
from voicegw.dialplan.load import parse_dialplan
from voicegw.gateway.sip_leg import SipGateway
from voicegw.media.pool import MediaPool
from voicegw.ports.asr import AsrProvider
from voicegw.ports.llm import Llm
from voicegw.ports.tts import TtsProvider
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.node import Node
from voicegw.runtime.services import CallServices, FactListener
from voicegw.runtime.speech import Speech
from voicegw.server_media_start import command_lines
from voicegw.storage.event_log import EventLog
from voicegw.storage.tool_ledger import SqliteToolLedger
from voicegw.turn.machine import TurnConfig

AGENT = "demo"
"""Whatever is dialled, this agent answers."""
_DIALPLAN = f"routes:\n  - name: everybody\n    agent: {AGENT}\n"


class OneModel:
    """Implements LlmHouse and the node's Models: one language model for all agents, and no tools."""

    def __init__(self, llm: Llm, ledger: Path, counters: Counters) -> None:
        self._llm = llm
        self._ledger = SqliteToolLedger(ledger)
        self.desk = ToolDesk(self._ledger, SystemClock(), counters)

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        """The one, whatever ``file`` names."""
        assert file.models
        return lambda: self._llm

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        """None, whatever ``file`` names."""
        assert not file.tools
        return ToolRegistry

    async def start(self) -> None:
        """Nothing to open."""

    async def prepare(self, agents: Iterable[Agent]) -> None:
        """Nothing to warm up."""

    async def close(self) -> None:
        """The desk and its ledger."""
        await self.desk.close()
        await self._ledger.close()


def assemble(
    config: Config,
    asr: AsrProvider,
    tts: TtsProvider,
    models: OneModel,
    agent: Agent,
    counters: Counters,
    on_fact: FactListener = lambda _call_id, _entry: None,
    turn: TurnConfig | None = None,
) -> Node:
    """A node that answers every call with ``agent``, which must be called :data:`AGENT`; nothing is recorded.

    ``turn`` replaces what the configuration says about turns.
    """
    clock = SystemClock()
    agents: Mapping[str, Agent] = {AGENT: agent}
    store = DialplanStore(lambda: Installation(parse_dialplan(_DIALPLAN, agents=agents.keys()), agents))
    speech = Speech(asr, [tts], counters)
    Path(config.paths.calls).mkdir(parents=True, exist_ok=True)
    log = EventLog(Path(config.paths.calls), counters)
    gateway = SipGateway(
        config.sip, lambda event: manager.on_leg_event(event), random=os.urandom, clock=clock, counters=counters
    )
    media = MediaPool(
        command_lines(config.media, log_level=config.log.level),
        lambda event: manager.on_media_event(event),
        lambda worker, reason: manager.on_worker_lost(worker, reason),
        lambda calls, reason: manager.on_calls_lost(calls, reason),
        full_busy=config.media.full_busy,
        full_late=config.media.full_late,
    )
    services = CallServices(
        signalling=gateway,
        media=media,
        speaker=speech,
        asr=asr,
        facts=log,
        agents=agents,
        clock=clock,
        random=os.urandom,
        counters=counters,
        recordings=None,
        call_config=config.call,
        turn_config=turn or config.turn,
        on_fact=on_fact,
    )
    manager = CallManager(services, store, config.limits.max_calls)
    return Node(gateway, media, speech, models, manager, store, counters, (), log)
