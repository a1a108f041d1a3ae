"""Where a server of speech is: a part of the configuration of each kind of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a speech server is and what opens it."""

    base_url: str = ""
    """Up to and with the version, like ``http://127.0.0.1:8000/v1``."""
    api_key_env: str = ""
    """The environment variable that holds the key, so that no file does; empty where the server wants none."""
    connect_timeout_s: float = 2.0
    """To reach the server. It is there within milliseconds or not at all."""


def api_key(owner: str, variable: str, environ: Mapping[str, str]) -> str:
    """The key in this variable, without the end of the line that many a secret is stored with. Raises ConfigError
    where there is none, and where it could be in no header: what refuses that later would show it in the log."""
    key = environ.get(variable, "").strip()
    fix = f"export {variable}=... before the server starts"
    if not key:
        raise ConfigError(f"{owner}: the variable {variable} is not set", fix=fix)
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{owner}: the variable {variable} has characters that are in no key", fix=fix)
    return key
