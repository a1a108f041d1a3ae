"""The node as a whole: whether it takes calls, emptying it before an update, and taking calls again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import refusals
from voicegw.api.node_board import DrainWish, NodeBoard
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, invalid, wrong_document
from voicegw.base.errors import ConfigError
from voicegw.runtime.drain import DrainStatus, Farewell, NodeState, NotDrainable

router = APIRouter(prefix="/v1/node", tags=["operation"])
Operator = Annotated[Visitor, Depends(Allow(Permission.OPERATE))]
DAY_S = 86_400


class NodeView(BaseModel):
    """How the node stands. ``deadline_in_s``: until calls that are left are handed over; 0 where none is set."""

    state: NodeState
    calls: int
    deadline_in_s: float
    farewell: str
    stop: bool
    by: str


class ReloadView(BaseModel):
    """The settings that differ from before: in force now, or only after a restart."""

    changed: list[str]
    need_restart: list[str]


class DrainBody(BaseModel):
    """What is left out is as the section ``drain`` of the configuration says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"deadline_s": 600}]})

    deadline_s: float | None = Field(default=None, ge=0, le=7 * DAY_S)
    farewell: Farewell | None = None
    transfer_to: str | None = Field(default=None, max_length=256)
    stop: bool = False


@router.get("", responses=refusals(), summary="Does it take calls?")
async def node(parts: PartsDep, _visitor: Operator) -> NodeView:
    """Serving, draining, handing over, or drained; and how many calls there are."""
    return _view(_board(parts).status())


@router.post("/drain", responses=refusals(409), summary="Take no new calls")
async def drain(body: DrainBody, parts: PartsDep, visitor: Operator) -> NodeView:
    """New calls and OPTIONS get 503. At the deadline, calls that are left are handed over. A new order replaces the
    one before. ``stop``: the process ends with the last call."""
    _demand_unlimited(visitor)
    wish = DrainWish(body.deadline_s, body.farewell, body.transfer_to, body.stop)
    try:
        status = await _board(parts).drain(wish, visitor.who.user_name)
    except ConfigError as error:
        raise invalid("transfer_to", error.message, error.fix) from None
    async with parts.store.write() as unit:
        after = body.model_dump(mode="json", exclude_none=True)
        await unit.audit.append(visitor.note("node.drain", "node", "", None, after))
    return _view(status)


@router.delete("/drain", responses=refusals(409), summary="Take calls again")
async def undrain(parts: PartsDep, visitor: Operator) -> NodeView:
    """Refused once calls are being handed over, and once the process was told to end by a signal."""
    _demand_unlimited(visitor)
    try:
        status = await _board(parts).undrain(visitor.who.user_name)
    except NotDrainable as error:
        raise conflict(str(error)) from None
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("node.undrain", "node", ""))
    return _view(status)


@router.post("/reload", responses=refusals(422), summary="Read the configuration anew")
async def reload(parts: PartsDep, visitor: Operator) -> ReloadView:
    """As SIGHUP does. Where anything is wrong in a file nothing changes, and the answer says file, line and fix."""
    _demand_unlimited(visitor)
    try:
        report = await _board(parts).reload(visitor.who.user_name)
    except ConfigError as error:
        raise wrong_document(error, "configuration") from None
    view = ReloadView(changed=list(report.changed), need_restart=list(report.need_restart))
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("node.reload", "node", "", None, view.model_dump()))
    return view


def _board(parts: Parts) -> NodeBoard:
    assert parts.board is not None, "without a node these routes are not there"
    return parts.board


def _demand_unlimited(visitor: Visitor) -> None:
    """A node belongs to no team."""
    if not visitor.who.reach.unlimited:
        raise forbidden("only people without limits may operate a node")


def _view(status: DrainStatus) -> NodeView:
    return NodeView(
        state=status.state,
        calls=status.calls,
        deadline_in_s=round(status.deadline_in_s, 1),
        farewell=status.farewell,
        stop=status.stop,
        by=status.by,
    )
