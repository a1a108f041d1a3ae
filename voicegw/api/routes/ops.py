"""For machines that watch over this one: alive, ready, counters."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from voicegw.api.access import Allow
from voicegw.api.answers import refusals
from voicegw.api.metrics_text import CONTENT_TYPE, exposition
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.storage.errors import StoreUnavailable

router = APIRouter(tags=["operation"])

_METRICS: dict[str, Any] = {
    "description": "text exposition format 0.0.4",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Which parts work; new calls are welcome where all do. ``degraded``: what does without, and how."""

    ready: bool
    parts: dict[str, bool]
    degraded: dict[str, str] = {}


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """200 as long as the API's loop turns. Says nothing about parts: a restart would not help those."""
    return Health()


@router.get(
    "/readyz",
    responses={503: {"model": Ready, "description": "some part does not work"}},
    response_model_exclude_defaults=True,
    summary="Should it get calls?",
)
async def readyz(parts: PartsDep, response: Response) -> Ready:
    """200 when every part works, else 503."""
    working = {**parts.node.ready(), "store": await _store_works(parts)}
    ready = all(working.values())
    response.status_code = 200 if ready else 503
    return Ready(ready=ready, parts=working, degraded=dict(parts.node.degraded()))


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={**refusals(), 200: _METRICS},
    dependencies=[Depends(Allow(Permission.METRICS))],
    summary="Metrics for Prometheus",
)
async def metrics(parts: PartsDep) -> Response:
    """What docs/operations.md lists. Needs a key with the scope ``metrics``."""
    counters = {**parts.node.counters(), **parts.counters.snapshot()}
    gauges = {**parts.node.gauges(), "api_watchers": parts.hub.watchers}
    histograms = {**parts.node.histograms(), **parts.counters.histograms()}
    return Response(exposition(counters, gauges, histograms), media_type=CONTENT_TYPE)


async def _store_works(parts: Parts) -> bool:
    try:
        async with parts.store.read() as unit:
            await unit.users.count()
    except StoreUnavailable:
        return False
    return True
