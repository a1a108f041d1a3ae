"""The admin API of a node: what it is given, and how documents of the store come into force."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from voicegw.api.config import ApiConfig
from voicegw.api.control import CallControl, Originator
from voicegw.api.installation import Documents
from voicegw.api.parts import Node as NodeView
from voicegw.api.recordings import Recordings
from voicegw.api.service import ApiService, Wiring
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.dialplan.checked import read_text
from voicegw.dialplan.yaml_lines import parse_yaml
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.storage.config import StoreConfig

DIALPLAN_NAME = "dialplan"
"""The document that routes calls; others are kept, but asked by nobody."""

Load = Callable[[Path, Path], Installation]
"""Builds an installation from a directory of agents and a dialplan file; raises ConfigError."""


class NodeInstaller:
    """A :class:`~voicegw.api.installation.Installer`: writes documents as files and loads them as files are loaded.

    So one loader decides what works, and lexicons beside the agents are found. Calls keep what they began with.
    """

    def __init__(
        self, store: DialplanStore, load: Load, agents: Path, prepared: Callable[[], Awaitable[None]]
    ) -> None:
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
        await self._prepared()

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


def make_api(
    config: ApiConfig,
    store: StoreConfig,
    installer: NodeInstaller,
    files: Documents,
    clock: Clock,
    counters: Counters,
    active_calls: Callable[[], int],
    *,
    control: CallControl | None = None,
    originator: Originator | None = None,
    recordings: Recordings | None = None,
) -> ApiService | None:
    """The API, not yet started; None where it is switched off."""
    if not config.enabled:
        return None
    view = NodeView(counters=counters.snapshot, gauges=lambda: {"calls_active": float(active_calls())})
    return ApiService(config, store, Wiring(installer, view, control, originator, recordings, files), clock)


def _name(path: Path) -> str:
    data = parse_yaml(read_text(path), str(path)).data
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else path.stem
