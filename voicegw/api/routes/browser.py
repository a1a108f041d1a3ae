"""A supervisor's browser in place of a telephone: connect its audio, then take part as by telephone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api.access import Visitor, principal_of
from voicegw.api.answers import Id, refusals
from voicegw.api.browser_audio import BrowserAudio
from voicegw.api.control import Refused
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import ApiProblem, conflict, invalid, not_found
from voicegw.api.routes.live import live_call
from voicegw.api.routes.supervision import Supervising
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import CallId
from voicegw.runtime.browser_legs import browser_uri
from voicegw.storage.errors import StoreUnavailable

router = APIRouter(prefix="/v1/live", tags=["supervision"])

MAX_SDP = 32_768


class OfferBody(BaseModel):
    """An SDP offer of one audio stream in both directions, with all its candidates."""

    model_config = ConfigDict(extra="forbid")

    sdp: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SDP)]


class AnswerView(BaseModel):
    """The SDP answer."""

    sdp: str


class IceServerView(BaseModel):
    """An element of ``iceServers`` of ``RTCPeerConnection``."""

    urls: list[str]
    username: str = ""
    credential: str = ""


class BrowserAudioView(BaseModel):
    """What a page needs to know before it connects."""

    ice_servers: list[IceServerView] = Field(description="empty: none is needed")


@router.get("/browser-audio", responses=refusals(404), summary="Learn how browsers connect")
async def settings(parts: PartsDep, _visitor: Supervising) -> BrowserAudioView:
    """Which STUN and TURN servers to use."""
    servers = _audio(parts).servers
    return BrowserAudioView(
        ice_servers=[
            IceServerView(urls=[one.url], username=one.username, credential=one.credential) for one in servers
        ]
    )


@router.post(
    "/calls/{call_id}/supervision/browser",
    responses=refusals(404, 409, 501),
    summary="Connect a browser's audio",
)
async def connect(call_id: Id, body: OfferBody, parts: PartsDep, visitor: Supervising) -> AnswerView:
    """Nothing is heard yet: take part next, with the address ``webrtc``. An earlier connection gives way."""
    call = live_call(parts, visitor, call_id)
    if call.node:
        place = next((one.api for one in parts.node.nodes() if one.name == call.node), "")
        raise conflict(f"the call is on node {call.node}: connect the browser there{place and f', at {place}'}")
    audio = _audio(parts)
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("call.connect_browser", "call", call_id))

    async def may() -> bool:
        return await _still_may(parts, visitor, call_id)

    try:
        answer = await audio.connect(browser_uri(CallId(call_id), visitor.who.user_id), body.sdp, may)
    except RemoteProtocolError as error:
        raise invalid("sdp", str(error), "send what createOffer of RTCPeerConnection made") from None
    except Refused as refused:
        raise conflict(str(refused)) from None
    except LocalError as error:
        raise ApiProblem(501, str(error)) from None
    return AnswerView(sdp=answer)


def _audio(parts: Parts) -> BrowserAudio:
    if parts.browsers is None:
        raise not_found("browser audio")
    return parts.browsers


async def _still_may(parts: Parts, visitor: Visitor, call_id: str) -> bool:
    """Whether the session or key still works and reaches the call. A store that is away ends no supervision."""
    try:
        principal = await principal_of(visitor.secret, parts)
    except StoreUnavailable:
        return True
    if principal is None or not principal.may(Permission.SUPERVISE):
        return False
    call = parts.hub.calls.get(CallId(call_id))
    return call is None or principal.scope.has_call(call.called, call.calling, call.agent)
