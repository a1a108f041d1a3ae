"""Where a server of speech is: a part of the configuration of each kind of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a speech server is and what opens it."""

    base_url: str = ""
    """Up to and with the version, like ``http://127.0.0.1:8000/v1``."""
    api_key_env: str = ""
    """The environment variable that holds the key, so that no file does; empty where the server wants none."""
    connect_timeout_s: float = 2.0
    """To reach the server. It is there within milliseconds or not at all."""
