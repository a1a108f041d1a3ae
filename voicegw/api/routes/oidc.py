"""Logging in with the provider: there and back."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from voicegw.api.access import peer_of
from voicegw.api.accounts import log_in_identity
from voicegw.api.answers import Responses, Words, refusals
from voicegw.api.oidc import LOGIN_S, Attempt, OidcClient, OidcRefused
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.problems import not_found, unauthenticated
from voicegw.api.routes.session import give_cookie
from voicegw.base.errors import LocalError

router = APIRouter(prefix="/v1/oidc", tags=["session"])

_COOKIE = "voicegw_oidc"
_CONTEXT = "oidc login"
_REDIRECT: Responses = {302: {"description": "on to the provider, or back to the page after the login"}}


@router.get(
    "/login",
    status_code=302,
    response_class=RedirectResponse,
    responses={**refusals(401, 404, public=True), **_REDIRECT},
    summary="Log in with the provider",
)
async def begin(parts: PartsDep) -> RedirectResponse:
    """Sends the browser to the provider."""
    try:
        url, attempt = await _client(parts).begin()
    except OidcRefused as refused:
        raise unauthenticated(refused.reason) from refused
    answer = RedirectResponse(url, 302)
    sealed = parts.vault.seal(msgspec.json.encode(attempt).decode(), _CONTEXT).hex()
    answer.set_cookie(
        _COOKIE,
        sealed,
        max_age=int(LOGIN_S),
        httponly=True,
        secure=parts.config.secure_cookies,
        samesite="lax",
        path="/v1/oidc",
    )
    return answer


@router.get(
    "/callback",
    status_code=302,
    response_class=RedirectResponse,
    responses={**refusals(401, 404, public=True), **_REDIRECT},
    summary="Come back from the provider",
)
async def finish(
    request: Request,
    parts: PartsDep,
    state: Annotated[Words, Query()] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[Words, Query()] = "",
) -> RedirectResponse:
    """Makes the session and sends the browser home."""
    try:
        if error or not code:
            raise OidcRefused("the provider did not let you in")
        identity = await _client(parts).finish(_attempt(request, parts), state, code)
        _, secret = await log_in_identity(parts, identity, peer_of(request))
    except OidcRefused as refused:
        parts.counters.add("api_logins_refused")
        raise unauthenticated(refused.reason) from refused
    answer = RedirectResponse(parts.config.home, 302)
    give_cookie(parts, answer, secret)
    answer.delete_cookie(_COOKIE, path="/v1/oidc")
    return answer


def _client(parts: Parts) -> OidcClient:
    if parts.oidc is None:
        raise not_found("provider")
    return parts.oidc


def _attempt(request: Request, parts: Parts) -> Attempt:
    """What this browser began; bound to it by the cookie, so that nobody is logged in as somebody else."""
    try:
        opened = parts.vault.open(bytes.fromhex(request.cookies.get(_COOKIE, "")), _CONTEXT)
    except (LocalError, ValueError):
        raise OidcRefused("this browser did not begin a login here") from None
    return msgspec.json.decode(opened, type=Attempt)
