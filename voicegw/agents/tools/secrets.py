"""Texts from the environment, and the headers made of them, in wrappers that do not print."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from voicegw.agents.tools.config import Auth, EnvText
from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header whose value is in no repr, and so in no log and no traceback."""

    name: str
    value: str = field(repr=False)


def env_text(text: EnvText, environment: Mapping[str, str]) -> str:
    """The value; raises ConfigError where the variable is missing or could break a header or an address."""
    value = environment.get(text.env, text.default)
    if value is None:
        raise ConfigError(f"the environment variable {text.env} is not set", fix=f"set {text.env} for the server")
    if not value.isprintable():
        raise ConfigError(f"the environment variable {text.env} has a line break in it", fix="remove it")
    return value


def auth_headers(auth: Auth | None, environment: Mapping[str, str]) -> tuple[SecretHeader, ...]:
    """What to send with each request; raises ConfigError."""
    if auth is None:
        return ()
    if auth.bearer is not None:
        return (SecretHeader("Authorization", f"Bearer {env_text(auth.bearer, environment)}"),)
    if auth.basic is not None:
        pair = f"{auth.basic.user}:{env_text(auth.basic.password, environment)}"
        return (SecretHeader("Authorization", f"Basic {b64encode(pair.encode()).decode()}"),)
    if auth.header is not None:
        return (SecretHeader(auth.header.name, env_text(auth.header.value, environment)),)
    return ()
