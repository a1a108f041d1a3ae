"""What is set about a trunk, besides its password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api.answers import Number, Words

Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:\[\]_-]{1,253}$")]


class TrunkSettings(BaseModel):
    """How a carrier or PBX is reached. ``numbers`` are ours behind it; ``register_there``: log in at it."""

    model_config = ConfigDict(extra="forbid")

    host: Host
    port: int = Field(default=5060, ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: Words = ""
    auth_username: Words = ""
    register_there: bool = False
    numbers: list[Number] = Field(default=[], max_length=1000)
    max_calls: int = Field(default=0, ge=0, le=100_000, description="0: no limit")
    allowed_addresses: list[Host] = Field(default=[], max_length=1000)
