"""What people change about their own account: the password and the authenticator app."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass, field, replace

import msgspec

from voicegw.api import totp
from voicegw.api.access import Visitor
from voicegw.api.accounts import demand_strong
from voicegw.api.parts import Parts
from voicegw.api.problems import ApiProblem, conflict, forbidden, invalid, too_many
from voicegw.api.vault import totp_context
from voicegw.base.errors import LocalError
from voicegw.storage.users import User

ISSUER = "voicegw"
_ENROLMENT_S = 600


class _Ticket(msgspec.Struct, frozen=True):
    """An enrolment under way; sealed, it goes to the user and comes back with the first code."""

    secret_hex: str
    expires_wall: float


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs, once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    ticket: str = field(repr=False)


async def change_password(parts: Parts, visitor: Visitor, current: str, new: str) -> None:
    """Raises 403 where the current one is wrong, 422 where the new one is weak. All other sessions end."""
    demand_strong(new, visitor.who.user_name)
    user = await _confirmed(parts, visitor, current)
    hashed = await parts.passwords.hash(new)
    async with parts.store.write() as unit:
        await unit.users.put(replace(user, password_hash=hashed, changed_wall_ms=visitor.at_wall_ms))
        await unit.sessions.end_all_of(user.id)
        await unit.audit.append(visitor.note("password.change", "user", user.id))


def begin_totp(parts: Parts, visitor: Visitor) -> Enrolment:
    """A new secret for the app. Nothing is stored until a code of it has come back."""
    secret = parts.random(totp.SECRET_BYTES)
    ticket = _Ticket(secret.hex(), parts.clock.wall() + _ENROLMENT_S)
    sealed = parts.vault.seal(msgspec.json.encode(ticket).decode(), _context(visitor.who.user_id))
    uri = totp.provisioning_uri(secret, visitor.who.user_name, ISSUER)
    return Enrolment(b32encode(secret).decode(), uri, sealed.hex())


async def finish_totp(parts: Parts, visitor: Visitor, ticket_text: str, code: str) -> None:
    """From now on logins need a code; raises 422 for a wrong code or an old ticket."""
    now = parts.clock.wall()
    try:
        opened = parts.vault.open(bytes.fromhex(ticket_text), _context(visitor.who.user_id))
    except (LocalError, ValueError):
        raise invalid("ticket", "is none of ours", "begin again") from None
    ticket = msgspec.json.decode(opened, type=_Ticket)
    if now > ticket.expires_wall:
        raise invalid("ticket", "has expired", "begin again")
    step = totp.matching_step(bytes.fromhex(ticket.secret_hex), code, now)
    if step is None:
        raise invalid("code", "does not fit", "check the clock of the phone")
    async with parts.store.write() as unit:
        users = unit.users
        user = await users.get(visitor.who.user_id)
        sealed = parts.vault.seal(ticket.secret_hex, totp_context(user.id))
        await users.put(replace(user, totp_sealed=sealed, totp_last_step=step, changed_wall_ms=visitor.at_wall_ms))
        await unit.audit.append(visitor.note("totp.enable", "user", user.id))


async def remove_totp(parts: Parts, visitor: Visitor, password: str) -> None:
    """Logins need the password only again; raises 403 where it is wrong."""
    user = await _confirmed(parts, visitor, password)
    async with parts.store.write() as unit:
        await unit.users.put(replace(user, totp_sealed=None, totp_last_step=0, changed_wall_ms=visitor.at_wall_ms))
        await unit.audit.append(visitor.note("totp.disable", "user", user.id))


async def _confirmed(parts: Parts, visitor: Visitor, password: str) -> User:
    """The visitor's account, once they have proved that they are not just somebody at their desk."""
    if visitor.who.key_id:
        raise forbidden("a key cannot change the account that it belongs to")
    now = parts.clock.monotonic()
    if wait_s := parts.lock_out.wait_s(visitor.who.user_name, now):
        raise too_many("too many wrong passwords", wait_s)
    parts.lock_out.failed(visitor.who.user_name, now)
    async with parts.store.read() as unit:
        user = await unit.users.get(visitor.who.user_id)
    if user.password_hash is None:
        raise conflict("this account has no password: its provider keeps it")
    if not await parts.passwords.check(user.password_hash, password):
        raise ApiProblem(403, "the current password is wrong")
    parts.lock_out.succeeded(visitor.who.user_name)
    return user


def _context(user_id: str) -> str:
    return f"totp enrolment of {user_id}"
