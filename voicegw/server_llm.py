"""Language models and tools of a node: the concrete parts behind :class:`voicegw.agents.llm_agent.LlmHouse`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from voicegw.agents.agent import Agent
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.llm_agent import LlmAgent, LlmNeeds
from voicegw.agents.tools.builtin import make_builtin_tool
from voicegw.agents.tools.config import CallerLookupConfig, HttpToolConfig, McpToolConfig
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.http_tool import make_http_tool
from voicegw.agents.tools.live import LiveTools
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool
from voicegw.base.breaker import CircuitBreaker
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.base.installing import pip_install
from voicegw.base.metrics import Counters
from voicegw.config import LlmConfig
from voicegw.dialplan.checked import did_you_mean
from voicegw.inference.llm.attempt import Guarded
from voicegw.inference.llm.chain import ProviderChain
from voicegw.inference.llm.config import BudgetConfig, ChatServerConfig
from voicegw.inference.llm.openai_chat import OpenAiChat
from voicegw.ports.http import HttpClient
from voicegw.ports.llm import Llm
from voicegw.storage.tool_ledger import SqliteToolLedger

log = logging.getLogger(__name__)


class ToolServer(Protocol):
    """A server of tools; its client package is optional and imported when an agent names one."""

    tools: tuple[Tool, ...]
    version: int

    async def start(self) -> None:
        """Wait for its first list of tools; raises ProviderError."""
        ...

    async def close(self) -> None:
        """Stop it."""
        ...


class LlmParts:
    """Made once a node, started with it and closed with it. Agents loaded later share its servers and breakers."""

    def __init__(self, config: LlmConfig, ledger: Path, http: HttpClient, clock: Clock, counters: Counters) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._counters = counters
        self._ledger = SqliteToolLedger(ledger)
        self.desk = ToolDesk(self._ledger, clock, counters)
        self._members = {server.name: self._member(server, config) for server in config.servers}
        self._replaced: list[Guarded] = []
        self._mcp: list[tuple[McpToolConfig, ToolServer]] = []
        self._mcp_started = 0
        self._ledger_open = False
        self._chains: dict[str, ProviderChain] = {}

    def _member(self, server: ChatServerConfig, config: LlmConfig) -> Guarded:
        return Guarded(OpenAiChat(server, clock=self._clock), CircuitBreaker(config.chain.breaker))

    async def change(self, config: LlmConfig) -> None:
        """Other servers, for agents that are loaded from now on; those of running calls stay until the end."""
        before = {server.name: server for server in self._config.servers}
        fresh = {one.name: self._member(one, config) for one in config.servers if before.get(one.name) != one}
        for member in fresh.values():
            await member.provider.start()
        self._config = config
        kept = {one.name for one in config.servers} - fresh.keys()
        self._replaced += [member for name, member in self._members.items() if name not in kept]
        self._members = {name: member for name, member in self._members.items() if name in kept} | fresh

    # ------------------------------------------------------------ for the agents

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        """See :class:`~voicegw.agents.llm_agent.LlmHouse`."""
        for name in file.models:
            if name not in self._members:
                fix = did_you_mean(name, self._members) if self._members else "configure it under llm.servers"
                raise ConfigError(f"there is no language model named '{name}'", fix=fix)
        chain = ProviderChain(
            [self._members[name] for name in file.models],
            self._config.chain,
            clock=self._clock,
            counters=self._counters,
        )
        self._chains[file.name] = chain
        limits = file.limits
        budget = BudgetConfig(limits.max_tokens_per_call, limits.max_money_per_call)
        return lambda: chain.for_call(budget)

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        """See :class:`~voicegw.agents.llm_agent.LlmHouse`."""
        fixed: list[Tool] = []
        servers: list[ToolServer] = []
        for tool in file.tools:
            match tool:
                case HttpToolConfig():
                    made = make_http_tool(tool, self._http, os.environ, self._clock)
                    fixed.append(replace(made, approval_s=tool.asks_s))
                case McpToolConfig():
                    servers.append(self._mcp_server(tool))
                case CallerLookupConfig():
                    pass  # runs before the answer, not for the model
                case _:
                    fixed.append(replace(make_builtin_tool(tool), approval_s=tool.asks_s))
        return LiveTools(fixed, servers)

    def _mcp_server(self, config: McpToolConfig) -> ToolServer:
        for known, running in self._mcp:
            if known == config:
                return running
        try:
            from voicegw.inference.mcp.server import McpServer
        except ImportError as error:
            message = f"MCP tools need the Python package {error.name!r}"
            raise ConfigError(message, fix=pip_install("voicegw[mcp]")) from error
        server: ToolServer = McpServer(config, os.environ, self._clock, self._counters)
        self._mcp.append((config, server))
        return server

    # ------------------------------------------------------------ with the node

    async def start(self) -> None:
        """Open the clients; raises ConfigError where a key is missing."""
        for member in self._members.values():
            await member.provider.start()

    async def prepare(self, agents: Iterable[Agent]) -> None:
        """Reach the tool servers and warm the models up; what is down is a warning: calls have a fallback.

        The ledger is opened with the first agent that may need it: it belongs to one process alone.
        """
        if self._chains and not self._ledger_open:
            self._ledger_open = True
            recovery = await self._ledger.recover(self._clock.wall())
            if recovery.unknown:
                log.warning("tools were running at the last crash", extra={"unknown": len(recovery.unknown)})
        for _, server in self._mcp[self._mcp_started :]:
            self._mcp_started += 1
            try:
                await server.start()
            except ProviderError as error:
                log.warning("an MCP server does not answer: %s", error)
        beginnings = [
            (self._chains[name], request)
            for agent in agents
            if isinstance(agent, LlmAgent | FlowAgent)
            for name, request in agent.beginnings()
        ]
        for chain, request in beginnings:
            await chain.warm_up(request)

    async def close(self) -> None:
        """Let tools end, then close everything."""
        await self.desk.close()
        for _, server in self._mcp[: self._mcp_started]:
            await server.close()
        for member in (*self._members.values(), *self._replaced):
            await member.provider.close()
        await self._ledger.close()
