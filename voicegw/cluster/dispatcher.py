"""The nodes as Kamailio's dispatcher reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from voicegw.ports.cluster import NodeInfo

SET: Final = 1
"""The set of destinations that docker/kamailio/kamailio.cfg asks for."""


def dispatcher_list(nodes: Iterable[NodeInfo]) -> str:
    """One line a node, by name: set, URI, flags, priority, attributes. OPTIONS tell who drains."""
    places = sorted((node.name, node.sip) for node in nodes if node.sip)
    return "".join(f"{SET} sip:{sip} 0 0 duid={name}\n" for name, sip in places)
