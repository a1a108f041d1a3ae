"""Who may do what: roles as rows of one table, and the limits of a person to numbers or teams.

A role is a set of permissions. A :class:`Scope` narrows it to some numbers, or to what some teams have; what is out
of it does not exist for that person (404), what the role does not allow is forbidden (403).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """One thing that a person or a key may be allowed; also the scopes of API keys."""

    USERS = "users"
    """Create, change and remove users; see and revoke everybody's keys."""
    CONFIG_READ = "config:read"
    """See agents, dialplans and trunks, never their secrets; test routes; export bundles."""
    CONFIG_WRITE = "config:write"
    """Change drafts of agents and dialplans."""
    CONFIG_PUBLISH = "config:publish"
    """Put agents and dialplans in force, and back."""
    TRUNKS = "trunks"
    """Change trunks and their secrets."""
    WEBHOOKS = "webhooks"
    """Say where events are sent; see and send dead letters again."""
    CALLS_READ = "calls:read"
    """List and search calls; see what happened in them, without what was said."""
    TRANSCRIPTS = "transcripts"
    """Read what was said."""
    RECORDINGS = "recordings"
    """Hear what was said."""
    LIVE = "live"
    """Watch running calls."""
    ORIGINATE = "calls:originate"
    """Make the server call somebody."""
    SUPERVISE = "calls:supervise"
    """Listen, whisper, barge in, take over, hand back; end and move calls; approve tools."""
    CAPTURE = "calls:capture"
    """Write down the packets of calls, and read them; with audio only together with ``recordings``."""
    AUDIT = "audit"
    """Read who did what."""
    DATA_EXPORT = "data:export"
    """Find and export everything that is kept of a number."""
    DATA_ERASE = "data:erase"
    """Erase it."""
    METRICS = "metrics"
    """Read counters."""
    OPERATE = "node:operate"
    """Empty the node before an update, and let it take calls again."""


class Role(StrEnum):
    """What a user is."""

    ADMIN = "admin"
    DESIGNER = "designer"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"


_P = Permission

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.DESIGNER: frozenset(
        {_P.CONFIG_READ, _P.CONFIG_WRITE, _P.CONFIG_PUBLISH, _P.CALLS_READ, _P.TRANSCRIPTS, _P.ORIGINATE}
    ),
    Role.SUPERVISOR: frozenset(
        {
            *(_P.CONFIG_READ, _P.CALLS_READ, _P.TRANSCRIPTS, _P.RECORDINGS, _P.LIVE),
            *(_P.ORIGINATE, _P.SUPERVISE),
        }
    ),
    Role.AUDITOR: frozenset(
        {
            *(_P.CONFIG_READ, _P.CALLS_READ, _P.TRANSCRIPTS, _P.RECORDINGS),
            *(_P.AUDIT, _P.DATA_EXPORT, _P.METRICS),
        }
    ),
}
"""The matrix. An auditor reads everything and changes nothing; a designer hears no recordings."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything that any of the roles allows."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Reach:
    """What a person is limited to, as it is stored; both empty: nothing.

    ``numbers``: exact, or a prefix that ends in ``*``. ``teams``: by name; what a team has is in :class:`Team`.
    """

    numbers: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @property
    def unlimited(self) -> bool:
        """Whether there is no limit."""
        return not self.numbers and not self.teams

    def within(self, other: Reach) -> bool:
        """Whether nothing is in this reach that is not in ``other``: nobody gives more than they have."""
        if other.unlimited:
            return True
        if self.unlimited:
            return False
        numbers = all(any(_covers(limit, number) for limit in other.numbers) for number in self.numbers)
        return numbers and set(self.teams) <= set(other.teams)


@dataclass(frozen=True, slots=True)
class Team:
    """What belongs to a team, by name; ``numbers`` as in :class:`Reach`."""

    name: str
    numbers: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    dialplans: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A reach with its teams looked up. A call is in it by its numbers or by its agent, either will do."""

    unlimited: bool
    numbers: tuple[str, ...] = ()
    agents: frozenset[str] = frozenset()
    dialplans: frozenset[str] = frozenset()
    trunks: frozenset[str] = frozenset()

    def has_call(self, called: str, calling: str, agent: str) -> bool:
        """Whether a call is in it."""
        return self.unlimited or agent in self.agents or self.has_number(called) or self.has_number(calling)

    def has_number(self, number: str) -> bool:
        """Whether a number is in it."""
        return self.unlimited or any(_covers(limit, number) for limit in self.numbers)

    def has_agent(self, name: str) -> bool:
        """Whether an agent is in it."""
        return self.unlimited or name in self.agents

    def has_dialplan(self, name: str) -> bool:
        """Whether a dialplan is in it."""
        return self.unlimited or name in self.dialplans

    def has_trunk(self, name: str) -> bool:
        """Whether a trunk is in it."""
        return self.unlimited or name in self.trunks


EVERYTHING = Scope(unlimited=True)


def scope_of(reach: Reach, teams: Iterable[Team]) -> Scope:
    """Look the teams of a reach up; a team that is not there adds nothing."""
    if reach.unlimited:
        return EVERYTHING
    mine = [team for team in teams if team.name in reach.teams]
    return Scope(
        unlimited=False,
        numbers=(*reach.numbers, *(number for team in mine for number in team.numbers)),
        agents=frozenset(name for team in mine for name in team.agents),
        dialplans=frozenset(name for team in mine for name in team.dialplans),
        trunks=frozenset(name for team in mine for name in team.trunks),
    )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a user, by session or key. ``allowed`` is of their roles, narrowed by the scopes of the key."""

    user_id: str
    user_name: str
    roles: frozenset[Role]
    allowed: frozenset[Permission]
    reach: Reach
    scope: Scope
    key_id: str = ""
    """The API key, empty for a session."""

    def may(self, permission: Permission) -> bool:
        """Whether it is allowed."""
        return permission in self.allowed


def _covers(limit: str, number: str) -> bool:
    """``limit`` is exact or a prefix with ``*``; ``number`` may itself be such a prefix."""
    return number.startswith(limit[:-1]) if limit.endswith("*") else number == limit
