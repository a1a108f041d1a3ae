"""Users, their API keys, their sessions, and links that work once."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.keyed import KeyedRepository
from voicegw.storage.tables.people import api_keys, one_time_tokens, sessions, users


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in. ``teams`` and ``numbers`` limit the roles; empty means no limit of that kind."""

    id: str
    name: str
    created_wall_ms: int
    changed_wall_ms: int
    version: int = 1
    display_name: str = ""
    email: str = ""
    disabled: bool = False
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    settings_json: str = "{}"
    password_hash: str | None = None
    totp_sealed: bytes | None = None
    totp_last_step: int = 0
    oidc_subject: str | None = None
    failed_logins: int = 0
    locked_until_wall_ms: int = 0
    last_login_wall_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by the hash of its secret; ``user_id`` is None for a key of the installation itself."""

    id: str
    name: str
    secret_hash: bytes
    scopes: tuple[str, ...]
    created_by: str
    created_wall_ms: int
    version: int = 1
    user_id: str | None = None
    teams: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    expires_wall_ms: int | None = None
    last_used_wall_ms: int | None = None
    revoked_wall_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser, by the hash of its token."""

    token_hash: bytes
    user_id: str
    second_factor: bool
    created_wall_ms: int
    seen_wall_ms: int
    expires_wall_ms: int
    data_json: str = "{}"
    peer: str = ""


@dataclass(frozen=True, slots=True)
class OneTimeToken:
    """A link that works once, by the hash of its token."""

    token_hash: bytes
    purpose: str
    data_json: str
    expires_wall_ms: int


class UserRepository(KeyedRepository[User]):
    """Users."""

    table = users
    record = User

    async def count(self) -> int:
        """How many there are; none before the first start is finished."""
        return int(await self._connection.scalar(select(func.count()).select_from(users)) or 0)

    async def by_oidc_subject(self, subject: str) -> User | None:
        """The user whom an identity provider knows by this name."""
        return await self._one(users.c.oidc_subject, subject)

    async def note_login(self, id: str, now_wall_ms: int, totp_step: int = 0) -> bool:
        """It worked: no failures any more. False when a TOTP code of this or a later step was used already."""
        fresh = or_(totp_step == 0, users.c.totp_last_step < totp_step)  # type: ignore[arg-type]
        values: dict[str, int] = {"failed_logins": 0, "locked_until_wall_ms": 0, "last_login_wall_ms": now_wall_ms}
        if totp_step:
            values["totp_last_step"] = totp_step
        done = await self._connection.execute(update(users).where(and_(users.c.id == id, fresh)).values(values))
        return done.rowcount == 1

    async def note_failure(self, id: str, locked_until_wall_ms: int = 0) -> int:
        """It failed: returns how often in a row, and locks until that moment."""
        values = {"failed_logins": users.c.failed_logins + 1, "locked_until_wall_ms": locked_until_wall_ms}
        query = update(users).where(users.c.id == id).values(values).returning(users.c.failed_logins)
        return int(await self._connection.scalar(query) or 0)


class ApiKeyRepository(KeyedRepository[ApiKey]):
    """API keys."""

    table = api_keys
    record = ApiKey

    async def by_secret_hash(self, secret_hash: bytes) -> ApiKey | None:
        """The key with this secret; the caller looks whether it is expired or revoked."""
        return await self._one(api_keys.c.secret_hash, secret_hash)

    async def of_user(self, user_id: str) -> list[ApiKey]:
        """All keys of a user, by name."""
        query = select(api_keys).where(api_keys.c.user_id == user_id).order_by(api_keys.c.name)
        return [ApiKey(**row) for row in (await self._connection.execute(query)).mappings()]

    async def touch(self, id: str, now_wall_ms: int) -> None:
        """It was used."""
        await self._connection.execute(
            update(api_keys).where(api_keys.c.id == id).values(last_used_wall_ms=now_wall_ms)
        )


class SessionRepository:
    """Sessions and one-time tokens."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, session: Session) -> None:
        """Insert."""
        await self._connection.execute(insert(sessions).values(**asdict(session)))

    async def find(self, token_hash: bytes, now_wall_ms: int) -> Session | None:
        """The session of this token unless it is over."""
        alive = and_(sessions.c.token_hash == token_hash, sessions.c.expires_wall_ms > now_wall_ms)
        row = (await self._connection.execute(select(sessions).where(alive))).mappings().first()
        return None if row is None else Session(**row)

    async def touch(self, token_hash: bytes, now_wall_ms: int, expires_wall_ms: int) -> None:
        """It was used, and lasts until then."""
        values = {"seen_wall_ms": now_wall_ms, "expires_wall_ms": expires_wall_ms}
        await self._connection.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(values))

    async def end(self, token_hash: bytes) -> None:
        """Signed out."""
        await self._connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))

    async def end_all_of(self, user_id: str) -> int:
        """Sign a user out everywhere; returns of how many sessions."""
        return (await self._connection.execute(delete(sessions).where(sessions.c.user_id == user_id))).rowcount

    async def of_user(self, user_id: str, now_wall_ms: int) -> list[Session]:
        """The live sessions of a user, the newest first."""
        alive = and_(sessions.c.user_id == user_id, sessions.c.expires_wall_ms > now_wall_ms)
        query = select(sessions).where(alive).order_by(sessions.c.created_wall_ms.desc())
        return [Session(**row) for row in (await self._connection.execute(query)).mappings()]

    async def forget_expired(self, now_wall_ms: int) -> int:
        """Delete sessions and one-time tokens that are over; returns how many."""
        deleted = 0
        for table in (sessions, one_time_tokens):
            over = table.c.expires_wall_ms <= now_wall_ms
            deleted += (await self._connection.execute(delete(table).where(over))).rowcount
        return deleted

    async def issue(self, token: OneTimeToken) -> None:
        """Store a one-time token."""
        await self._connection.execute(insert(one_time_tokens).values(**asdict(token)))

    async def redeem(self, token_hash: bytes, purpose: str, now_wall_ms: int) -> OneTimeToken | None:
        """Use up a one-time token; of two that try at once, one gets None."""
        columns = one_time_tokens.c
        mine = and_(columns.token_hash == token_hash, columns.purpose == purpose)
        query = delete(one_time_tokens).where(mine).returning(*columns)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None or row["expires_wall_ms"] <= now_wall_ms else OneTimeToken(**row)
