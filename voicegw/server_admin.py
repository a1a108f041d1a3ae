"""The admin API with what it is given. Apart from the rest, because a server without an API need not load it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from voicegw.api.installation import TrunkSwitch
from voicegw.api.key_file import load_key
from voicegw.api.parts import Node as NodeView
from voicegw.api.sealed_recordings import SealedRecordings
from voicegw.api.service import ApiService, Wiring
from voicegw.api.vault import Vault, phone_context
from voicegw.base.clock import SystemClock
from voicegw.config import Config
from voicegw.gateway.sip_leg import SipGateway
from voicegw.recording.seal_keys import read_key_ring
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.runtime.node import Node
from voicegw.server_captures import node_captures
from voicegw.server_cluster import ClusterPart
from voicegw.server_cluster_config import Followed, FollowedTrunks
from voicegw.server_control import node_control
from voicegw.server_documents import NodeInstaller
from voicegw.server_gauges import NodeGauges
from voicegw.server_lifecycle import Lifecycle
from voicegw.server_line import NodeLine
from voicegw.server_phones import NodePhones, OpenSecret


def make_api(
    config: Config,
    node: Node,
    installer: NodeInstaller,
    trunks: TrunkSwitch,
    browsers: BrowserLegs,
    phones: NodePhones,
    lifecycle: Lifecycle,
    recordings: SealedRecordings,
    cluster: ClusterPart | None = None,
) -> ApiService:
    """The API over a node, not started; raises ConfigError for keys that cannot be read."""
    assert isinstance(node.gateway, SipGateway)
    control, captures = node_control(node), node_captures(node)
    levels = NodeGauges(lambda: lifecycle.config, node, phones)
    view = NodeView(levels.counters, levels.gauges, lifecycle.ready, node.counters.histograms)
    followed = Followed(config.store, installer, trunks, SystemClock(), phones)
    if cluster is not None:
        view = _seen(view, cluster)
        cluster.follow(followed)
    wiring = Wiring(
        installer=followed,
        trunks=FollowedTrunks(followed),
        node=view,
        control=control if cluster is None else cluster.control(control),
        originator=control,
        captures=captures if cluster is None else cluster.captures(captures),
        recordings=recordings,
        files=None,
        node_files=node.files,
        browsers=browsers,
        phones=phones,
        line=NodeLine(node.gateway, SystemClock()),
        board=lifecycle,
        audiosocket=node.audiosocket,
        node_name=config.cluster.node or socket.gethostname(),
    )
    service = ApiService(config.api, config.store, wiring, SystemClock())
    if cluster is not None:
        cluster.watch_calls(service.hub)
    return service


def _seen(node: NodeView, cluster: ClusterPart) -> NodeView:
    """What the API is told about its node, with what is to be told of the others."""
    return replace(
        node,
        gauges=lambda: {**node.gauges(), **cluster.node.gauges()},
        nodes=cluster.node.nodes,
        degraded=cluster.degraded,
    )


def phone_secrets(config: Config) -> OpenSecret:
    """What opens the secrets of phones that the API has sealed; raises ConfigError."""
    vault = Vault(load_key(Path(config.api.key_file)))
    return lambda phone_id, sealed: vault.open(sealed, phone_context(phone_id))


def make_recordings(config: Config) -> SealedRecordings:
    """What opens recordings; raises ConfigError for keys that cannot be read."""
    return SealedRecordings(config.paths.recordings_folder, read_key_ring(config.recording.unseal_with))
