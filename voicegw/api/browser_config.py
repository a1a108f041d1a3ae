"""How supervisors' browsers connect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voicegw.base.errors import ConfigError

_SCHEMES = ("stun", "turn", "turns")


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 8489, RFC 8656), for browsers that cannot reach this machine directly."""

    url: str
    """stun:HOST:PORT, turn:HOST:PORT or turns:HOST:PORT."""
    username: str = ""
    """For TURN."""
    credential_env: str = ""
    """Environment variable with the password for TURN. Supervisors' browsers get to know it."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        scheme, _, host = self.url.partition(":")
        if scheme not in _SCHEMES or not host:
            raise ConfigError(f"'{self.url}' is no STUN or TURN server", fix="stun:HOST:PORT or turn:HOST:PORT")
        if scheme != "stun" and not (self.username and self.credential_env):
            raise ConfigError(f"{self.url} has no account", fix="username and credential_env")

    def credential(self, environment: Mapping[str, str]) -> str:
        """The password; raises ConfigError where the variable is not set."""
        if not self.credential_env:
            return ""
        if not environment.get(self.credential_env):
            name = self.credential_env
            raise ConfigError(f"the environment variable {name} is not set", fix=f"set {name} for the server")
        return environment[self.credential_env]


@dataclass(frozen=True, slots=True)
class BrowserAudioConfig:
    """Supervision by browser. It needs the optional package aiortc."""

    ice_servers: tuple[IceServer, ...] = ()
    """None: browsers reach this machine by one of its own addresses, as they do in one network or by VPN."""
    max_connections: int = 32
    """Each costs about a tenth of a core, most of it in the API's thread."""
    idle_s: float = 30.0
    """A connection that does not become part of a call is closed."""
    answer_s: float = 10.0
    """A browser that sends no audio for so long has not come through."""
    lost_s: float = 3.0
    """A browser that falls silent for so long is lost: whoever it had taken over is the agent's again."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name in ("max_connections", "idle_s", "answer_s", "lost_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="more than 0")
