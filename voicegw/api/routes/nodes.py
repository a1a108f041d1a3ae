"""The nodes of a cluster, as they told of themselves last."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from voicegw.api.access import Allow
from voicegw.api.answers import refusals
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission

router = APIRouter(prefix="/v1/nodes", tags=["operation"])


class ClusterNodeView(BaseModel):
    """A node. ``load``: 0 to 1, of ``max_calls``. ``sip``: where it takes calls, ``api``: the URL of its API."""

    name: str
    state: str
    calls: int
    max_calls: int
    load: float
    version: str
    sip: str
    api: str
    started_at: str


@router.get(
    "", responses=refusals(), dependencies=[Depends(Allow(Permission.CONFIG_READ))], summary="List the nodes"
)
async def list_nodes(parts: PartsDep) -> list[ClusterNodeView]:
    """By name. One that is not heard of for ``cluster.node_ttl_ms`` is not here any more."""
    return [
        ClusterNodeView(
            name=one.name,
            state=one.state.value,
            calls=one.calls,
            max_calls=one.max_calls,
            load=one.load,
            version=one.version,
            sip=one.sip,
            api=one.api,
            started_at=one.started_at,
        )
        for one in parts.node.nodes()
    ]
