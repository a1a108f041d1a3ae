"""Teams: what belongs together, and who may see it. Kept as documents, so that their changes have versions too."""

from __future__ import annotations

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api.answers import Name, Number
from voicegw.api.permissions import Team
from voicegw.storage.documents import DocumentVersion
from voicegw.storage.store import Unit

TEAM = "team"


class TeamFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is stored of a team."""

    numbers: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    dialplans: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()


class TeamBody(BaseModel):
    """What a team has, by name. ``numbers`` end in ``*`` for a beginning."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"numbers": ["+49301234*"], "agents": ["reception", "orders"]}]},
    )

    numbers: list[Number] = Field(default=[], max_length=1000)
    agents: list[Name] = Field(default=[], max_length=1000)
    dialplans: list[Name] = Field(default=[], max_length=1000)
    trunks: list[Name] = Field(default=[], max_length=1000)


def encode_team(team: Team) -> bytes:
    """The content of its document."""
    return msgspec.json.encode(TeamFile(team.numbers, team.agents, team.dialplans, team.trunks))


def decode_team(version: DocumentVersion) -> Team:
    """From the content of its document."""
    file = msgspec.json.decode(version.content, type=TeamFile)
    return Team(version.name, file.numbers, file.agents, file.dialplans, file.trunks)


async def load_teams(unit: Unit) -> list[Team]:
    """All teams."""
    return [decode_team(version) for version in (await unit.documents.published(TEAM)).values()]
