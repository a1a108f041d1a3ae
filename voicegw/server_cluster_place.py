"""Where a node of a cluster is reached: by what is configured, or by an address that only its environment knows."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from voicegw import __version__
from voicegw.base.errors import ConfigError
from voicegw.cluster.node import Place
from voicegw.config import Config
from voicegw.sip.address import bracketed

_ANY: Final = ("0.0.0.0", "::")


def own_place(config: Config, machine: str, environment: Mapping[str, str]) -> Place:
    """Name and addresses of this node; ``machine`` is the name of its machine. Raises ConfigError."""
    host = _host(config.cluster.host_env, environment)
    return Place(config.cluster.node or machine, _sip(config, host), _api(config, host), __version__)


def _host(name: str, environment: Mapping[str, str]) -> str:
    """As it stands in a URI; empty where none is to be read."""
    if not name:
        return ""
    value = environment.get(name, "")
    try:
        return f"[{value}]" if ip_address(value).version == 6 else value
    except ValueError:
        message = f"cluster: the environment variable {name} is {value!r}, and no IP address"
        raise ConfigError(message, fix=f"set {name}, or cluster.advertise in place of host_env") from None


def _sip(config: Config, host: str) -> str:
    return config.cluster.advertise or f"{host or bracketed(config.sip.listen_ip)}:{config.sip.listen_port}"


def _api(config: Config, host: str) -> str:
    api = config.api
    if config.cluster.api_url or not api.enabled:
        return config.cluster.api_url
    if host and not api.public_url and api.listen_host in _ANY:
        return f"{'https' if api.tls_cert else 'http'}://{host}:{api.listen_port}"
    return api.url
