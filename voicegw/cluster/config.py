"""The configuration of a node's part in a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import ConfigError

_SCHEMES: Final = ("redis://", "rediss://", "unix://")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Without ``redis`` a node is alone, and everything here is of no effect."""

    redis: str = ""
    """``redis://HOST:PORT/DB``, ``rediss://`` for TLS, ``unix://PATH``; empty: a node of its own."""
    redis_password_env: str = ""
    """The environment variable with the password; empty: none, or the one in the URL."""
    name: str = "voicegw"
    """Of the cluster: what all its keys begin with. Two clusters may share a Redis."""
    node: str = ""
    """Of this node, the only one of its name; empty: the name of the machine."""
    advertise: str = ""
    """HOST:PORT where the balancer and other nodes reach its SIP; empty: ``sip.listen_ip`` and its port."""
    api_url: str = ""
    """Where people and other nodes reach its API; empty: ``api.public_url``, or what it listens on."""
    host_env: str = ""
    """The environment variable with the IP address of this node, for nodes that share one configuration, such as
    pods of Kubernetes: ``advertise`` and ``api_url`` are made of it where they are empty. Empty: none."""
    beat_ms: int = 500
    """Between two signs of life."""
    node_ttl_ms: int = 2000
    """A node that has not been heard of for so long is lost, and its calls with it."""
    lease_ttl_ms: int = 10_000
    """Of what one node does at a time: this long after a node died another one registers in its place."""
    events: int = 20_000
    """Live events that Redis keeps for nodes and watchers that come back; about 300 bytes each."""
    share_bans: bool = True
    """Whom the guard of one node ignores, all ignore; false: each goes by what it has seen itself."""
    own_registrations: bool = True
    """One node at a time registers at a trunk; false: each registers for itself."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.redis and not self.redis.startswith(_SCHEMES):
            raise ConfigError("redis is no URL of a Redis server", fix="write redis://HOST:6379/0")
        for name in ("name", "node"):
            value = getattr(self, name)
            if value and not _NAME.fullmatch(value):
                raise ConfigError(f"{name} is {value!r}", fix="letters, digits, dots, dashes; 63 at most")
        if not self.name:
            raise ConfigError("name is empty", fix="leave it out for 'voicegw'")
        if self.beat_ms < 50:
            raise ConfigError(f"beat_ms is {self.beat_ms}", fix="at least 50")
        if self.node_ttl_ms < 3 * self.beat_ms:
            raise ConfigError(f"node_ttl_ms is {self.node_ttl_ms}", fix="at least three times beat_ms")
        if self.lease_ttl_ms < 4 * self.beat_ms:
            raise ConfigError(f"lease_ttl_ms is {self.lease_ttl_ms}", fix="at least four times beat_ms")
        if self.events < 100:
            raise ConfigError(f"events is {self.events}", fix="at least 100")

    @property
    def enabled(self) -> bool:
        """Whether there may be other nodes."""
        return bool(self.redis)
