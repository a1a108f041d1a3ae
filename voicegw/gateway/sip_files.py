"""The files that the section ``sip`` names, read to be thrown away: one that cannot be used is told of before it
counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voicegw.base.errors import ConfigError, LocalError
from voicegw.gateway.config import SipConfig
from voicegw.gateway.identity.desk import check_identity

_FIX: Final = "name a PEM file that the server's user may read"


def check_files(config: SipConfig) -> None:
    """Raises ConfigError, which names the setting and the file."""
    for index, listener in enumerate(config.listeners):
        if listener.tls is not None:
            _try(f"sip.listeners[{index}]", listener.tls.context)
    _try("sip.tls_client", config.tls_client.context)
    check_identity(config.identity)


def _try(setting: str, load: Callable[[], object]) -> None:
    try:
        load()
    except LocalError as error:
        raise ConfigError(f"{setting}: {error}", fix=_FIX) from None
