"""Logging in and out: passwords, one-time codes, invitations, and people that a provider vouches for.

Every refusal of a login reads the same and takes the same time, whether the account exists or not. A guess counts
before it is checked, so that many at once gain nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from voicegw.api import tokens, totp
from voicegw.api.access import Visitor
from voicegw.api.oidc import Identity, OidcRefused
from voicegw.api.parts import Parts
from voicegw.api.passwords import weakness
from voicegw.api.permissions import Role
from voicegw.api.problems import ApiProblem, FieldProblem, conflict, invalid, too_many, unauthenticated
from voicegw.api.throttle import network_of
from voicegw.api.vault import totp_context
from voicegw.base.ids import token
from voicegw.storage.audit import AuditNote
from voicegw.storage.users import OneTimeToken, Session, SessionRepository, User

SETUP = "setup"
INVITATION = "invitation"
_LINK_MS = 72 * 3_600_000
_WRONG = "name, password or code is wrong"


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody gives to log in."""

    name: str
    password: str = field(repr=False)
    code: str = ""
    peer: str = ""


def user_id(parts: Parts) -> str:
    """A new id."""
    return f"u_{token(parts.random, 12)}"


# ------------------------------------------------------------ by password


async def log_in(parts: Parts, login: Login) -> tuple[User, str]:
    """The user and the secret of a new session; raises 401 or 429."""
    _limit_guesses(parts, login)
    async with parts.store.read() as unit:
        user = await unit.users.by_name(login.name)
    right = await parts.passwords.check(user.password_hash if user else None, login.password)
    if user is None or not right or user.disabled or user.locked_until_wall_ms > parts.wall_ms():
        raise await _refused(parts, login, user)
    step = 0
    if user.totp_sealed is not None:
        if not login.code:
            parts.lock_out.withdraw(login.name)
            raise _code_needed()
        secret = bytes.fromhex(parts.vault.open(user.totp_sealed, totp_context(user.id)))
        found = totp.matching_step(secret, login.code, parts.clock.wall(), user.totp_last_step)
        if found is None:
            raise await _refused(parts, login, user)
        step = found
    session = await _enter(parts, user, login.peer, "password", step)
    if session is None:  # the same code in another login at the same moment
        raise await _refused(parts, login, user)
    parts.lock_out.succeeded(login.name)
    return user, session


def _limit_guesses(parts: Parts, login: Login) -> None:
    now = parts.clock.monotonic()
    wait_s = parts.logins.wait_s(network_of(login.peer), now) or parts.lock_out.wait_s(login.name, now)
    if wait_s:
        parts.counters.add("api_logins_throttled")
        raise too_many("too many attempts to log in", wait_s)
    parts.lock_out.failed(login.name, now)


async def _refused(parts: Parts, login: Login, user: User | None) -> ApiProblem:
    """Note the failure and return the answer; the same work for users that do not exist."""
    parts.counters.add("api_logins_refused")
    now = parts.wall_ms()
    async with parts.store.write() as unit:
        if user is not None:
            lock_ms = int(parts.lock_out.lock_s(user.failed_logins + 1) * 1000)
            await unit.users.note_failure(user.id, now + lock_ms if lock_ms else 0)
        note = AuditNote(now, login.name[:100], "login.refuse", "user", login.name[:100], "nobody", login.peer)
        await unit.audit.append(note)
    return unauthenticated(_WRONG)


def _code_needed() -> ApiProblem:
    problem = unauthenticated("the code of the authenticator app is needed as well")
    problem.errors.append(FieldProblem(field="code", detail="is missing", fix="the six digits of the app"))
    return problem


async def _enter(parts: Parts, user: User, peer: str, by: str, step: int = 0) -> str | None:
    """Begin a session; None where the code was used before."""
    issued, now = tokens.issue(tokens.SESSION_PREFIX, parts.random), parts.wall_ms()
    lasts_ms = int(min(parts.config.session_idle_min * 60_000, parts.config.session_h * 3_600_000))
    async with parts.store.write() as unit:
        if not await unit.users.note_login(user.id, now, step):
            return None
        session = Session(issued.digest, user.id, step > 0, now, now, now + lasts_ms, peer=peer)
        await unit.sessions.add(session)
        note = AuditNote(now, user.name, f"login.{by}", "user", user.id, peer=peer)
        await unit.audit.append(note)
    return issued.secret


async def log_out(parts: Parts, visitor: Visitor) -> None:
    """End this session."""
    async with parts.store.write() as unit:
        await unit.sessions.end(tokens.digest_of(visitor.secret))
        await unit.audit.append(visitor.note("logout", "user", visitor.who.user_id))


# ------------------------------------------------------------ by a provider


async def log_in_identity(parts: Parts, identity: Identity, peer: str) -> tuple[User, str]:
    """Whom the provider vouches for; made at the first login, given the roles of the rules at each.

    Raises :class:`OidcRefused` where the user is disabled or the name is a local user's: people are known by the
    provider's subject only, since names and addresses can be given to somebody else.
    """
    now = parts.wall_ms()
    roles = tuple(sorted(identity.roles))
    async with parts.store.write() as unit:
        users = unit.users
        known = await users.by_oidc_subject(identity.subject)
        if known is None:
            if await users.by_name(identity.name) is not None:
                raise OidcRefused(f"a user of the name {identity.name} exists already")
            known = User(
                user_id(parts),
                identity.name,
                now,
                now,
                oidc_subject=identity.subject,
                display_name=identity.display_name,
                roles=roles,
                teams=identity.reach.teams,
                numbers=identity.reach.numbers,
            )
            await users.add(known)
        elif known.disabled:
            raise OidcRefused("this user is disabled here")
        else:
            changed = replace(known, roles=roles, teams=identity.reach.teams, numbers=identity.reach.numbers)
            known = await users.put(replace(changed, changed_wall_ms=now)) if changed != known else known
    session = await _enter(parts, known, peer, "oidc")
    if session is None:
        raise OidcRefused("this user is gone")
    return known, session


# ------------------------------------------------------------ by a link


async def first_link(parts: Parts) -> str | None:
    """The secret of a link that makes the first administrator; None when there are users already."""
    async with parts.store.write() as unit:
        if await unit.users.count():
            return None
        return await _issue_link(parts, unit.sessions, SETUP, "{}")


async def invite(parts: Parts, sessions: SessionRepository, user: User) -> str:
    """The secret of a link by which a user sets their password."""
    return await _issue_link(parts, sessions, INVITATION, user.id)


async def _issue_link(parts: Parts, sessions: SessionRepository, purpose: str, data: str) -> str:
    issued = tokens.issue(tokens.LINK_PREFIX, parts.random)
    await sessions.issue(OneTimeToken(issued.digest, purpose, data, parts.wall_ms() + _LINK_MS))
    return issued.secret


async def set_up(parts: Parts, secret: str, name: str, password: str, peer: str) -> User:
    """Make the first administrator; the link works once, and only while there are no users."""
    demand_strong(password, name)
    hashed, now = await parts.passwords.hash(password), parts.wall_ms()
    user = User(user_id(parts), name, now, now, roles=(Role.ADMIN.value,), password_hash=hashed)
    async with parts.store.write() as unit:
        users = unit.users
        if await unit.sessions.redeem(tokens.digest_of(secret), SETUP, now) is None:
            raise unauthenticated("this link was used, has expired, or never was")
        if await users.count():
            raise conflict("there are users already; ask one of them for an invitation")
        await users.add(user)
        note = AuditNote(now, name, "setup", "user", user.id, peer=peer)
        await unit.audit.append(note)
    return user


async def accept_invitation(parts: Parts, secret: str, password: str, peer: str) -> None:
    """Set the password of an invited user; their other sessions end and their lock-out is over."""
    demand_strong(password, "")
    hashed, now = await parts.passwords.hash(password), parts.wall_ms()
    async with parts.store.write() as unit:
        sessions, users = unit.sessions, unit.users
        link = await sessions.redeem(tokens.digest_of(secret), INVITATION, now)
        user = await users.find(link.data_json) if link else None
        if user is None or user.disabled:
            raise unauthenticated("this link was used, has expired, or never was")
        fresh = replace(user, failed_logins=0, locked_until_wall_ms=0, changed_wall_ms=now)
        await users.put(replace(fresh, password_hash=hashed))
        await sessions.end_all_of(user.id)
        note = AuditNote(now, user.name, "password.set", "user", user.id, peer=peer)
        await unit.audit.append(note)
    parts.lock_out.succeeded(user.name)


def demand_strong(password: str, name: str) -> None:
    """Raise 422 about a password that is too weak."""
    if (fault := weakness(password, name)) is not None:
        raise invalid("password", fault, "a sentence of four or more words is long and easy to remember")
