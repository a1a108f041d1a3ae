"""A node with its documents and its admin API: what they are given, and in which order they start."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from voicegw.api.config import ApiConfig
from voicegw.api.key_file import derive, load_key
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry
from voicegw.config import Config
from voicegw.gateway.sip_leg import SipGateway
from voicegw.ports.http import HttpClient
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.runtime.dialplan_store import Installation
from voicegw.runtime.http_client import HttpxClient
from voicegw.runtime.node import Node
from voicegw.runtime.services import FactListener
from voicegw.server import build, load_installation
from voicegw.server_captures import node_captures
from voicegw.server_cluster import ClusterPart
from voicegw.server_cluster_captures import CapturesHere
from voicegw.server_control import node_control
from voicegw.server_control_socket import ControlSocket, LocalAudit
from voicegw.server_documents import DocumentFaces, Load, NodeDocuments, NodeInstaller
from voicegw.server_lifecycle import Lifecycle
from voicegw.server_llm import LlmParts
from voicegw.server_phones import NodePhones, OpenSecret
from voicegw.server_reload import Reloader
from voicegw.server_settings import LiveSettings
from voicegw.server_tolls import NodeTolls
from voicegw.server_trunks import TrunkFaces
from voicegw.sip.nonces import SharedNonces
from voicegw.storage.config import FileSync

log = logging.getLogger(__name__)


class Api(Protocol):
    """:class:`voicegw.api.service.ApiService`."""

    def publish(self, call_id: CallId, entry: Entry) -> None:
        """A new fact of a call."""
        ...

    async def check_key(self) -> None:
        """Before anything starts; raises ConfigError where the store's secrets are sealed with another key."""
        ...

    async def start(self) -> None:
        """Listen; raises LocalError."""
        ...

    def reload_certificate(self) -> None:
        """Use the certificate's files as they are now, from the next handshake on."""
        ...

    def check(self, config: ApiConfig, /) -> None:
        """Raises ConfigError where such settings cannot be used."""
        ...

    def use(self, config: ApiConfig, /) -> None:
        """Other settings, which have been checked, for requests from now on."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...


class Served:
    """A node and, where the configuration has one, the API over it."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        """Construct both; raises ConfigError and LocalError. ``path``: the file that a reload reads again."""
        listeners: list[FactListener] = []

        def tell(call_id: CallId, entry: Entry) -> None:
            for listener in listeners:
                listener(call_id, entry)

        browsers = BrowserLegs() if config.api.enabled else None
        http, counters = HttpxClient(), Counters()
        self._cluster = _cluster(config, counters)
        lines = self._cluster.lines if self._cluster is not None else None
        self.node = build(config, tell, browsers, http, lines, counters, _nonces(config))
        load = _loader(lambda: self._settings.current, self.node, http)
        self._files = files = NodeDocuments(Path(config.paths.agents), Path(config.paths.dialplan))
        self.node.store.load = lambda: load(files.agents, files.dialplan)
        mirror = config.store.files is FileSync.MIRROR
        installer = NodeInstaller(self.node.store, load, files, self._prepare, mirror=mirror)
        uses_store = _uses_store(config)
        faces = (config.store, files, installer, load, SystemClock())
        self._faces = DocumentFaces(*faces, uses_store=uses_store)
        assert isinstance(self.node.gateway, SipGateway)
        self._trunks = TrunkFaces(
            Path(config.paths.trunks),
            config.store,
            Path(config.api.key_file),
            self.node.gateway.trunks,
            SystemClock(),
            os.environ,
            uses_store=uses_store,
        )
        if self._cluster is not None:
            gateway = self.node.gateway
            assert self.node.files is not None
            here = CapturesHere(node_captures(self.node), self.node.files)
            self._cluster.attach(self.node, gateway.watch, node_control(self.node), gateway.guard, here)
            self._cluster.share_phones(gateway.phones, gateway.registrar)
            listeners.append(self._cluster.publish)
        self._is_started = self._is_changed = False
        self._reloads: set[asyncio.Task[None]] = set()
        self._settings = LiveSettings(config, self.node)
        reloader = Reloader(path, self._settings, self.node, http, self._take_files)
        self.lifecycle = Lifecycle(self._settings, self.node, reloader)
        self._control = ControlSocket(config.paths.control, self.lifecycle, LocalAudit(config.store))
        node_name = config.cluster.node or socket.gethostname()
        self._tolls = NodeTolls(self.node.gateway.trunks.tolls, config.store, node_name, SystemClock())
        self.api: Api | None = None
        if browsers is not None:
            # A second of loading that a server without an API does not spend.
            from voicegw.server_admin import make_api, make_recordings, phone_secrets

            self._phones = _phones(config, self.node, phone_secrets(config))
            recordings = make_recordings(config)
            parts = (config, self.node, installer, self._trunks, browsers, self._phones, self.lifecycle)
            self.api = make_api(*parts, recordings, self._cluster)
            self._settings.on_keys, self._settings.on_recordings = recordings.use, recordings.move
        else:
            self._phones = _phones(config, self.node, None)
        if self.api is not None:
            listeners.append(self.api.publish)
            self._settings.on_api, self._settings.check_api = self.api.use, self.api.check
        self._settings.on_files = self._use_files
        if self._cluster is not None:
            self._settings.on_cluster, self._settings.check_cluster = self._cluster.use, self._cluster.check
        self._settings.on_phones = self._phones.use

    async def start(self) -> None:
        """The node first. Calls need no API: one that cannot start is told and counted, and the node goes on.

        Raises ConfigError for a node that has another key of secrets than those that share its store.
        """
        if self.api is not None:
            await self.api.check_key()
        self._faces.start()
        self._trunks.start()
        await self._tolls.start()
        await self.node.start()
        if self._cluster is not None:
            await self._cluster.start()
        self._phones.start()
        self._is_started = True
        if self._is_changed:
            self.node.prepare()
        await self._control.start()
        if self.api is None:
            return
        try:
            await self.api.start()
        except LocalError as error:
            self.node.counters.add("api_start_failed")
            fix = "stop what has the port, choose another api.listen_port, or say api.enabled: false"
            log.error("%s; calls are served without it\n    fix: %s", error, fix)

    def reload(self) -> None:
        """As a signal wants it: read all files anew, in the background."""
        task = asyncio.create_task(self._reload(), name="reload")
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload(self) -> None:
        with suppress(ConfigError):  # which has been logged
            await self.lifecycle.reload("signal")

    def _take_files(self) -> None:
        """Agents, dialplan, trunks and certificates."""
        self.node.gateway.reload_certificates()
        if self.api is not None:
            self.api.reload_certificate()
        self._trunks.reload()
        if _uses_store(self._settings.current):
            self._faces.reload()
        else:
            self.node.reload()

    def _use_files(self, config: Config) -> None:
        uses_store, paths = _uses_store(config), config.paths
        self._files.agents, self._files.dialplan = Path(paths.agents), Path(paths.dialplan)
        self._faces.use(config.store, uses_store=uses_store)
        self._trunks.use(Path(paths.trunks), config.store, uses_store=uses_store)

    def _prepare(self) -> None:
        """Other agents are in force; before the node has started, its own start is not yet ready for that."""
        if self._is_started:
            self.node.prepare()
        self._is_changed = True

    async def close(self) -> None:
        """The API first: nobody takes part in a call of a node that is going away."""
        await self._control.close()
        await self._settings.close()
        if self.api is not None:
            await self.api.close()
        await self._faces.close()
        await self._phones.close()
        await self._trunks.close()
        await self.node.close()
        await self._tolls.close()
        if self._cluster is not None:
            await self._cluster.close()


def _uses_store(config: Config) -> bool:
    """Whether agents, dialplan and trunks are in the store as well; else they are files alone."""
    return config.api.enabled or config.store.files is not FileSync.OFF


def _cluster(config: Config, counters: Counters) -> ClusterPart | None:
    """None for a node on its own."""
    return ClusterPart(config, counters) if config.cluster.enabled else None


def _nonces(config: Config) -> SharedNonces | None:
    """Nodes with one key take the answers to one another's challenges. Without an API there is no key."""
    if not config.api.enabled:
        return None
    key, clock = load_key(Path(config.api.key_file)), SystemClock()
    return SharedNonces(derive(key, "digest nonces"), lambda: clock.wall() - clock.monotonic())


def _phones(config: Config, node: Node, open_secret: OpenSecret | None) -> NodePhones:
    assert isinstance(node.gateway, SipGateway)
    name = (config.cluster.node or socket.gethostname()) if config.cluster.enabled else ""
    return NodePhones(config.phones, config.store, node.gateway, SystemClock(), open_secret, node=name)


def _loader(current: Callable[[], Config], node: Node, http: HttpClient) -> Load:
    house = node.models
    assert isinstance(house, LlmParts)

    def load(agents: Path, dialplan: Path) -> Installation:
        config = current()
        paths = replace(config.paths, agents=str(agents), dialplan=str(dialplan))
        return load_installation(replace(config, paths=paths), http, house)

    return load
