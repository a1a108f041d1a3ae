"""The admin API of a node: what it is given, and how documents of the store come into force."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from voicegw.api.installation import Documents
from voicegw.api.parts import Node as NodeView
from voicegw.api.sealed_recordings import SealedRecordings
from voicegw.api.service import ApiService, Wiring
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import CallId
from voicegw.call.facts import Entry
from voicegw.config import Config
from voicegw.dialplan.checked import read_text
from voicegw.dialplan.yaml_lines import parse_yaml
from voicegw.ports.http import HttpClient
from voicegw.recording.seal_keys import read_key_ring
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.http_client import HttpxClient
from voicegw.runtime.node import Node
from voicegw.runtime.services import FactListener
from voicegw.server import build, load_installation
from voicegw.server_control import NodeControl
from voicegw.server_llm import LlmParts

log = logging.getLogger(__name__)

DIALPLAN_NAME = "dialplan"
"""The document that routes calls; others are kept, but asked by nobody."""

Load = Callable[[Path, Path], Installation]
"""Builds an installation from a directory of agents and a dialplan file; raises ConfigError."""


class NodeInstaller:
    """A :class:`~voicegw.api.installation.Installer`: writes documents as files and loads them as files are loaded.

    So one loader decides what works, and lexicons beside the agents are found. Calls keep what they began with.
    """

    def __init__(self, store: DialplanStore, load: Load, agents: Path, prepared: Callable[[], None]) -> None:
        """``agents``: the directory of files; ``prepared``: makes models for what is new, in the background."""
        self._store = store
        self._load = load
        self._agents = agents
        self._prepared = prepared

    async def rehearse(self, documents: Documents) -> None:
        """See :class:`~voicegw.api.installation.Installer`."""
        self._build(documents)

    async def install(self, documents: Documents) -> None:
        """See :class:`~voicegw.api.installation.Installer`."""
        self._store.current = self._build(documents)
        self._prepared()

    def _build(self, documents: Documents) -> Installation:
        if DIALPLAN_NAME not in documents.dialplans:
            raise ConfigError(f"no dialplan named '{DIALPLAN_NAME}' is published", fix="publish one of that name")
        with tempfile.TemporaryDirectory(prefix="voicegw-") as work:
            agents = Path(work) / "agents"
            shutil.copytree(self._agents, agents, ignore=shutil.ignore_patterns("*.yaml"))
            for name, text in documents.agents.items():
                (agents / f"{name}.yaml").write_text(text, encoding="utf-8")
            dialplan = Path(work) / f"{DIALPLAN_NAME}.yaml"
            dialplan.write_text(documents.dialplans[DIALPLAN_NAME], encoding="utf-8")
            return self._load(agents, dialplan)


def documents_of(agents: Path, dialplan: Path) -> Documents:
    """The files of a node as documents, agents by the names that they give themselves."""
    texts = {_name(path): read_text(path) for path in sorted(agents.glob("*.yaml"))}
    return Documents(texts, {DIALPLAN_NAME: read_text(dialplan)})


class Served:
    """A node and, where the configuration has one, the API over it."""

    def __init__(self, config: Config) -> None:
        """Construct both; raises ConfigError and LocalError."""
        listeners: list[FactListener] = []

        def tell(call_id: CallId, entry: Entry) -> None:
            for listener in listeners:
                listener(call_id, entry)

        browsers = BrowserLegs() if config.api.enabled else None
        self.node = build(config, tell, browsers)
        self._http = HttpxClient()
        self.api = _api(config, self.node, self._http, browsers) if browsers is not None else None
        if self.api is not None:
            listeners.append(self.api.publish)

    async def start(self) -> None:
        """The node first. Calls need no API: one that cannot start is told and counted, and the node goes on."""
        await self.node.start()
        if self.api is None:
            return
        try:
            await self.api.start()
        except LocalError as error:
            self.node.counters.add("api_start_failed")
            fix = "stop what has the port, choose another api.listen_port, or say api.enabled: false"
            log.error("%s; calls are served without it\n    fix: %s", error, fix)

    async def close(self) -> None:
        """The API first: nobody takes part in a call of a node that is going away."""
        if self.api is not None:
            await self.api.close()
        await self.node.close()
        await self._http.close()


def _api(config: Config, node: Node, http: HttpClient, browsers: BrowserLegs) -> ApiService:
    agents, dialplan = Path(config.paths.agents), Path(config.paths.dialplan)
    house = node.models
    assert isinstance(house, LlmParts)

    def load(folder: Path, plan: Path) -> Installation:
        paths = replace(config.paths, agents=str(folder), dialplan=str(plan))
        return load_installation(replace(config, paths=paths), http, house)

    control = NodeControl(RuntimeControl(node.manager, os.urandom))
    wiring = Wiring(
        installer=NodeInstaller(node.store, load, agents, node.prepare),
        node=NodeView(node.counters.snapshot, lambda: {"calls_active": float(node.manager.active)}),
        control=control,
        originator=control,
        recordings=_recordings(config),
        files=documents_of(agents, dialplan),
        browsers=browsers,
    )
    return ApiService(config.api, config.store, wiring, SystemClock())


def _recordings(config: Config) -> SealedRecordings | None:
    """Raises ConfigError for keys that cannot be read."""
    if not config.paths.recordings:
        return None
    return SealedRecordings(Path(config.paths.recordings), read_key_ring(config.recording.unseal_with))


def _name(path: Path) -> str:
    data = parse_yaml(read_text(path), str(path)).data
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else path.stem
