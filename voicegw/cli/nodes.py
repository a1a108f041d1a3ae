"""``voicegw nodes``: the nodes of the cluster, for people, programs and the balancer."""

from __future__ import annotations

import argparse
import asyncio

import msgspec

from voicegw.base.errors import ConfigError
from voicegw.cluster.dispatcher import dispatcher_list
from voicegw.config import load_config
from voicegw.ports.cluster import NodeInfo, SharedState


def run(arguments: argparse.Namespace) -> int:
    """Ask Redis; 1 where no node is there."""
    config = load_config(arguments.config)
    if not config.cluster.enabled:
        raise ConfigError("this node is on its own", fix="set cluster.redis")
    from voicegw.server_cluster import shared_state  # with the client of Redis

    nodes = asyncio.run(_ask(shared_state(config)))
    if arguments.dispatcher:
        print(dispatcher_list(nodes), end="")
    elif arguments.json:
        print(msgspec.json.format(msgspec.json.encode(nodes)).decode())
    else:
        for node in nodes:
            print(
                f"{node.name:<16} {node.state:<9} {node.calls:>5}/{node.max_calls:<5} {node.sip:<22} {node.version}"
            )
    return 0 if nodes else 1


async def _ask(shared: SharedState) -> list[NodeInfo]:
    try:
        return sorted((await shared.roster()).nodes, key=lambda node: node.name)
    finally:
        await shared.close()
