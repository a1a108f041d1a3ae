"""Reload: the configuration file and all that it names are read anew, checked as a whole, then put in force."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from voicegw.api.node_board import ReloadReport
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.config import Config, load_config
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.ports.http import HttpClient
from voicegw.runtime.node import Node
from voicegw.server import load_installation, make_llm_parts
from voicegw.server_settings import LiveSettings
from voicegw.server_trunks import read_trunk_files

log = logging.getLogger(__name__)


class Reloader:
    """``take``: puts agents, dialplan, trunks and certificates of the files in force, which have been checked."""

    def __init__(
        self, path: Path | None, settings: LiveSettings, node: Node, http: HttpClient, take: Callable[[], None]
    ) -> None:
        self._path = path
        self._settings = settings
        self._node = node
        self._http = http
        self._take = take
        self._turn = asyncio.Lock()

    async def reload(self) -> ReloadReport:
        """Raises ConfigError with everything that is wrong; then nothing has changed."""
        async with self._turn:
            try:
                return await self._reload()
            except ConfigError as error:
                self._node.counters.add("reloads_refused")
                log.error("reload refused, nothing changes: %s", error)
                raise

    async def _reload(self) -> ReloadReport:
        wanted = await asyncio.to_thread(load_config, self._path)
        planned = self._settings.plan(wanted)
        await asyncio.to_thread(self._check_files, planned)
        live, waiting = self._settings.split(wanted)
        await self._settings.apply(planned)
        self._take()
        self._node.counters.add("reloads")
        log.info("configuration reloaded", extra={"changed": live, "need_restart": waiting})
        if waiting:
            log.warning("changed in the file, but not in force before a restart: %s", ", ".join(waiting))
        return ReloadReport(live, waiting)

    def _check_files(self, config: Config) -> None:
        """Load what the configuration names, to throw it away; raises ConfigProblems with all that is wrong."""
        problems: list[ConfigError] = []
        models = make_llm_parts(config, self._http, SystemClock(), Counters())
        for check in (
            lambda: load_installation(config, self._http, models),
            lambda: read_trunk_files(Path(config.paths.trunks)),
        ):
            try:
                check()
            except ConfigProblems as error:
                problems += error.problems
            except ConfigError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise ConfigProblems(problems)
