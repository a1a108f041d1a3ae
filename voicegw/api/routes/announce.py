"""Calls that will come by AudioSocket: who calls whom, which the connection itself does not say."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import Name, Words, refusals
from voicegw.api.control import Refused
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.gateway.audiosocket.announcements import Announcement

router = APIRouter(prefix="/v1/audiosocket", tags=["calls"])
Announcing = Annotated[Visitor, Depends(Allow(Permission.ORIGINATE))]


class CallToCome(BaseModel):
    """A call that an Asterisk will bring. ``headers`` are seen by dialplan and agent as those of a SIP call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"uuid": "40325ec2-5efd-4bd3-805f-53576e581d13", "called": "7100", "calling": "+4930123456"}
            ]
        },
    )

    uuid: UUID
    called: Words = ""
    calling: Words = ""
    display_name: Words = ""
    headers: dict[Name, Words] = Field(default={}, max_length=50)


@router.post("/calls", status_code=204, responses=refusals(404, 409), summary="Say who will call")
async def announce(body: CallToCome, parts: PartsDep, visitor: Announcing) -> Response:
    """Good for one connection, within ``audiosocket.announced_s``. ``called`` "": the number of the listener."""
    if not visitor.who.reach.unlimited:
        raise forbidden("only people without limits may say who calls whom")
    if parts.announcer is None:
        raise not_found("AudioSocket listener")
    said = Announcement(body.called, body.calling, body.display_name, body.headers)
    try:
        await parts.announcer.announce(body.uuid, said)
    except Refused as refused:
        raise conflict(str(refused)) from None
    return Response(status_code=204)
