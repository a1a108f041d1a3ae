"""The settings of traces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from voicegw.base.errors import ConfigError
from voicegw.base.personal import Disclosure

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_DISCLOSURES: Final = tuple(one.value for one in Disclosure)


@dataclass(frozen=True, slots=True)
class OtlpConfig:
    """A trace of every call to a collector of OpenTelemetry, by OTLP over HTTP with protobuf."""

    url: str = ""
    """Where the collector takes traces, with the path: ``http://jaeger:4318/v1/traces``; empty for no traces."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request, by their names."""
    secret_headers: dict[str, str] = field(default_factory=dict)
    """The same, with the name of the variable of the environment that has the value."""
    sample: float = 1.0
    """The share of calls that are traced, 0 to 1. It is drawn by the id of the call: nodes and services agree."""
    service_name: str = "voicegw"
    """Of the resource, ``service.name``."""
    timeout_s: float = 10.0
    """For one request with all its repetitions; then what is in it is dropped."""
    queue_calls: int = 512
    """Calls that are over and wait to be sent; more are dropped and counted."""
    gather_s: float = 1.0
    """How long the first call of a request waits for others."""
    personal: str = "drop"
    """Numbers, addresses and names: ``drop``, ``hash`` (pseudonyms, with the key of ``log.personal_key_env``) or
    ``keep``. What was said and keyed is in no trace."""
    from_header: str = ""
    """The header of an INVITE by a trunk that has a traceparent: the call is then part of that trace. Empty: none
    is read. Who may send it decides which trace a call is in, and whether it is kept."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        parts = urlsplit(self.url)
        if self.url and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ConfigError(f"url is {self.url!r}", fix="write it as http://HOST:4318/v1/traces")
        if self.url and parts.path in ("", "/"):
            raise ConfigError(f"url {self.url!r} has no path", fix="most collectors take traces at /v1/traces")
        for name in (*self.headers, *self.secret_headers, *filter(None, (self.from_header,))):
            if not _HEADER.fullmatch(name):
                raise ConfigError(f"{name!r} is no name of a header")
        if not 0 <= self.sample <= 1:
            raise ConfigError(f"sample is {self.sample}", fix="a share from 0 to 1")
        for name, value in (("timeout_s", self.timeout_s), ("gather_s", self.gather_s)):
            if value <= 0:
                raise ConfigError(f"{name} is {value}", fix="more than 0")
        if self.queue_calls < 1:
            raise ConfigError(f"queue_calls is {self.queue_calls}", fix="at least 1")
        if self.personal not in _DISCLOSURES:
            raise ConfigError(f"personal is {self.personal!r}", fix=f"one of: {', '.join(_DISCLOSURES)}")

    def all_headers(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Those of a request; raises ConfigError where a variable is not set."""
        found = dict(self.headers)
        for name, variable in self.secret_headers.items():
            if not environment.get(variable):
                raise ConfigError(
                    f"observability.otlp: the environment variable {variable} is not set",
                    fix=f"set {variable} for the server",
                )
            found[name] = environment[variable]
        return found
