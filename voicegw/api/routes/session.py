"""Logging in and out, and one's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import HTTPConnection

from voicegw.api import accounts, own_account, tokens
from voicegw.api.access import COOKIE, SomeVisitor, Visitor, peer_of
from voicegw.api.answers import Name, refusals
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.passwords import MAX_LENGTH
from voicegw.api.permissions import Permission, Role, permissions_of

router = APIRouter(prefix="/v1", tags=["session"])

Password = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,6}$")]
Secret = Annotated[str, StringConstraints(max_length=200)]


class LoginBody(BaseModel):
    """``cookie``: for pages of a browser; the session comes as a cookie that scripts cannot read."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "ada", "password": "correct horse battery", "code": "123456"}]},
    )

    name: Annotated[str, StringConstraints(max_length=100)]
    password: Password
    code: Code = ""
    cookie: bool = False


class Me(BaseModel):
    """Who is logged in. ``numbers`` and ``teams``: limits, both empty: none. ``csrf`` for changes by cookie."""

    id: str
    name: str
    roles: list[Role]
    permissions: list[Permission]
    numbers: list[str]
    teams: list[str]
    csrf: str = ""


class LoggedIn(Me):
    """``token``: send it as ``Authorization: Bearer``; null when a cookie was asked for."""

    token: str | None = None


class SetupBody(BaseModel):
    """``token``: the part behind ``#`` of the link that the first start wrote to the log."""

    model_config = ConfigDict(extra="forbid")

    token: Secret
    name: Name
    password: Password


class InvitationBody(BaseModel):
    """``token``: the part behind ``#`` of the link."""

    model_config = ConfigDict(extra="forbid")

    token: Secret
    password: Password


class PasswordBody(BaseModel):
    """Both passwords."""

    model_config = ConfigDict(extra="forbid")

    current: Password
    new: Password


class TotpTicket(BaseModel):
    """``uri`` as a QR code, or ``secret`` typed in; then send a code of the app with the ticket."""

    secret: str
    uri: str
    ticket: str


class TotpBody(BaseModel):
    """The first code of the app."""

    model_config = ConfigDict(extra="forbid")

    ticket: Annotated[str, StringConstraints(max_length=1000)]
    code: Code


class ConfirmBody(BaseModel):
    """The password, once more."""

    model_config = ConfigDict(extra="forbid")

    password: Password = Field(description="the current one")


@router.post("/setup", status_code=201, responses=refusals(401, 409, public=True), summary="Make the first user")
async def set_up(body: SetupBody, parts: PartsDep, connection: HTTPConnection) -> dict[str, str]:
    """Works once, with the link from the log, while there are no users."""
    user = await accounts.set_up(parts, body.token, body.name, body.password, peer_of(connection))
    return {"id": user.id, "name": user.name}


@router.post("/invitation", status_code=204, responses=refusals(401, public=True), summary="Accept an invitation")
async def accept(body: InvitationBody, parts: PartsDep, connection: HTTPConnection) -> None:
    """Set the password that goes with the link; it works once."""
    await accounts.accept_invitation(parts, body.token, body.password, peer_of(connection))


@router.post("/session", responses=refusals(401, public=True), summary="Log in")
async def log_in(body: LoginBody, parts: PartsDep, connection: HTTPConnection, response: Response) -> LoggedIn:
    """Wrong guesses lock the account for a while; the answer is the same whether it exists or not."""
    login = accounts.Login(body.name, body.password, body.code, peer_of(connection))
    user, secret = await accounts.log_in(parts, login)
    roles = sorted(Role(role) for role in user.roles if role in set(Role))
    if body.cookie:
        give_cookie(parts, response, secret)
    return LoggedIn(
        id=user.id,
        name=user.name,
        roles=roles,
        permissions=sorted(permissions_of(roles)),
        numbers=list(user.numbers),
        teams=list(user.teams),
        csrf=tokens.csrf_of(secret) if body.cookie else "",
        token=None if body.cookie else secret,
    )


@router.get("/session", responses=refusals(), summary="Who am I")
async def who_am_i(visitor: SomeVisitor) -> Me:
    """Roles, permissions and limits of whoever asks."""
    return me(visitor)


@router.delete("/session", status_code=204, responses=refusals(), summary="Log out")
async def log_out(visitor: SomeVisitor, parts: PartsDep, response: Response) -> None:
    """Ends this session everywhere; a key stays as it is."""
    await accounts.log_out(parts, visitor)
    response.delete_cookie(COOKIE, path="/")


@router.post("/me/password", status_code=204, responses=refusals(409), summary="Change my password")
async def change_password(body: PasswordBody, visitor: SomeVisitor, parts: PartsDep) -> None:
    """All sessions end, this one too."""
    await own_account.change_password(parts, visitor, body.current, body.new)


@router.post("/me/totp", responses=refusals(), summary="Begin to use an authenticator app")
async def begin_totp(visitor: SomeVisitor, parts: PartsDep) -> TotpTicket:
    """Nothing changes until the first code has come back."""
    enrolment = own_account.begin_totp(parts, visitor)
    return TotpTicket(secret=enrolment.secret, uri=enrolment.uri, ticket=enrolment.ticket)


@router.put("/me/totp", status_code=204, responses=refusals(409), summary="Use an authenticator app from now on")
async def finish_totp(body: TotpBody, visitor: SomeVisitor, parts: PartsDep) -> None:
    """Each login needs a code from now on."""
    await own_account.finish_totp(parts, visitor, body.ticket, body.code)


@router.post("/me/totp/removal", status_code=204, responses=refusals(409), summary="Use no authenticator app")
async def remove_totp(body: ConfirmBody, visitor: SomeVisitor, parts: PartsDep) -> None:
    """The password alone will do again."""
    await own_account.remove_totp(parts, visitor, body.password)


def me(visitor: Visitor) -> Me:
    """What a visitor is told about themselves."""
    who = visitor.who
    return Me(
        id=who.user_id,
        name=who.user_name,
        roles=sorted(who.roles),
        permissions=sorted(who.allowed),
        numbers=list(who.reach.numbers),
        teams=list(who.reach.teams),
        csrf="" if who.key_id else tokens.csrf_of(visitor.secret),
    )


def give_cookie(parts: Parts, response: Response, secret: str) -> None:
    """The session as a cookie: not for scripts, not over plain HTTP where there is TLS, not for foreign forms."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(parts.config.session_h * 3600),
        httponly=True,
        secure=parts.config.secure_cookies,
        samesite="lax",
        path="/",
    )
