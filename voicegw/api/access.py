"""Who asks, and whether they may: from a bearer token or the session cookie to a :class:`Visitor`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from fastapi import Depends
from starlette.requests import HTTPConnection

from voicegw.api import tokens
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission, Principal, Reach, Role, permissions_of, scope_of
from voicegw.api.problems import forbidden, too_many, unauthenticated
from voicegw.api.teams import load_teams
from voicegw.storage.audit import AuditNote
from voicegw.storage.users import ApiKey, User

COOKIE = "voicegw_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOUCH_MS = 60_000
"""Last use is written down no more often than this: reading must not become writing."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A request's author and where it came from."""

    who: Principal
    peer: str
    at_wall_ms: int
    secret: str

    def note(
        self,
        action: str,
        kind: str,
        object_id: str,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> AuditNote:
        """What goes into the audit about this request; ``before`` and ``after`` must hold no secrets."""
        return AuditNote(
            at_wall_ms=self.at_wall_ms,
            actor=self.who.user_name,
            actor_kind="key" if self.who.key_id else "user",
            action=action,
            object_kind=kind,
            object_id=object_id,
            peer=self.peer,
            before_json=_json(before),
            after_json=_json(after),
        )


class Allow:
    """A dependency: the visitor, if they have the permission. None: anybody who is logged in."""

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    async def __call__(self, connection: HTTPConnection, parts: PartsDep) -> Visitor:
        """Raises 401, 403 or 429."""
        visitor = await identify(connection, parts)
        if self.permission is not None and not visitor.who.may(self.permission):
            raise forbidden(f"this needs the permission '{self.permission}'")
        return visitor


SomeVisitor = Annotated[Visitor, Depends(Allow(None))]


async def identify(connection: HTTPConnection, parts: Parts) -> Visitor:
    """Find out who asks; raises 401, 403 for a forged cookie request, 429 for too many."""
    secret, by_cookie = _secret_of(connection)
    principal = await principal_of(secret, parts) if secret else None
    if principal is None:
        raise unauthenticated()
    if by_cookie:
        _refuse_forgery(connection, secret, parts)
    wait_s = parts.requests.wait_s(principal.key_id or principal.user_id, parts.clock.monotonic())
    if wait_s:
        parts.counters.add("api_requests_throttled")
        raise too_many("more requests than this user or key may make", wait_s)
    return Visitor(principal, peer_of(connection), parts.wall_ms(), secret)


async def principal_of(secret: str, parts: Parts) -> Principal | None:
    """Who holds this token now; None for one that is unknown, expired, revoked or of a disabled user."""
    if tokens.is_token(secret, tokens.SESSION_PREFIX):
        return await _by_session(secret, parts)
    if tokens.is_token(secret, tokens.KEY_PREFIX):
        return await _by_key(secret, parts)
    return None


def peer_of(connection: HTTPConnection) -> str:
    """The address a request came from; behind a trusted proxy, the one that the proxy names."""
    return connection.client.host if connection.client else ""


async def _by_session(secret: str, parts: Parts) -> Principal | None:
    digest, now = tokens.digest_of(secret), parts.wall_ms()
    async with parts.store.read() as unit:
        session = await unit.sessions.find(digest, now)
        user = await unit.users.find(session.user_id) if session else None
        if session is None or user is None or user.disabled:
            return None
        teams = await load_teams(unit) if user.teams else []
    if now - session.seen_wall_ms > _TOUCH_MS:
        latest = session.created_wall_ms + int(parts.config.session_h * 3_600_000)
        expires = min(latest, now + int(parts.config.session_idle_min * 60_000))
        async with parts.store.write() as unit:
            await unit.sessions.touch(digest, now, expires)
    reach = Reach(user.numbers, user.teams)
    roles = roles_of(user)
    return Principal(user.id, user.name, roles, permissions_of(roles), reach, scope_of(reach, teams))


async def _by_key(secret: str, parts: Parts) -> Principal | None:
    now = parts.wall_ms()
    async with parts.store.read() as unit:
        key = await unit.api_keys.by_secret_hash(tokens.digest_of(secret))
        if key is None or key.user_id is None or not is_valid(key, now):
            return None
        user = await unit.users.find(key.user_id)
        if user is None or user.disabled:
            return None
        reach = key_reach(key, user)
        teams = await load_teams(unit) if reach.teams else []
    if key.last_used_wall_ms is None or now - key.last_used_wall_ms > _TOUCH_MS:
        async with parts.store.write() as unit:
            await unit.api_keys.touch(key.id, now)
    roles = roles_of(user)
    allowed = permissions_of(roles) & {Permission(scope) for scope in key.scopes if scope in set(Permission)}
    return Principal(user.id, user.name, roles, allowed, reach, scope_of(reach, teams), key.id)


def is_valid(key: ApiKey, now_wall_ms: int) -> bool:
    """Whether a key still works."""
    return key.revoked_wall_ms is None and (key.expires_wall_ms is None or now_wall_ms < key.expires_wall_ms)


def key_reach(key: ApiKey, user: User) -> Reach:
    """A key reaches no further than its user does now, whatever was allowed when it was made."""
    mine, theirs = Reach(key.numbers, key.teams), Reach(user.numbers, user.teams)
    return theirs if mine.unlimited or not mine.within(theirs) else mine


def roles_of(user: User) -> frozenset[Role]:
    """The roles of a user; names that this version does not know give nothing."""
    return frozenset(Role(role) for role in user.roles if role in set(Role))


def _secret_of(connection: HTTPConnection) -> tuple[str, bool]:
    """The token, and whether the browser sent it by itself. A header wins over a cookie."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip(), False
    return connection.cookies.get(COOKIE, ""), True


def _refuse_forgery(connection: HTTPConnection, secret: str, parts: Parts) -> None:
    """A browser sends cookies with requests of foreign pages too: see that the page is ours."""
    if connection.scope["type"] == "websocket":
        origin = connection.headers.get("origin", "")
        ours = {parts.config.url, *parts.config.cors_origins}
        if origin not in ours and urlsplit(origin).netloc != connection.headers.get("host", ""):
            raise forbidden("this page may not use the cookie of another")
        return
    if connection.scope["method"] in _SAFE:
        return
    given = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), tokens.csrf_of(secret).encode()):
        raise forbidden(f"changes by cookie need the header {CSRF_HEADER}; GET /v1/session tells its value")


def _json(value: Mapping[str, object] | None) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()
