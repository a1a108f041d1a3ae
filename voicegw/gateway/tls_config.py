"""TLS of SIP: what is configured, the contexts made of it, and their renewal while connections go on."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.metrics import Counters
from voicegw.sip.counters import SipCounter

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0
"""How old the look at a certificate's file may be when a connection comes."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class ClientCertificates(StrEnum):
    """Mutual TLS of a listener."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


_VERIFY = {
    ClientCertificates.NONE: ssl.CERT_NONE,
    ClientCertificates.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class TlsClientSettings:
    """How we connect by TLS."""

    ca: str = ""
    """PEM file with the authorities to trust; empty for those of the system."""
    certificate: str = ""
    """PEM file with a certificate chain to show, where the other side wants one."""
    key: str = ""
    """PEM file with its private key; empty where it stands in the file of the certificate."""
    verify: bool = True
    """False: believe any certificate. For a laboratory only: whoever sits in between hears everything."""
    min_version: str = "1.2"
    """The oldest TLS that is spoken: 1.2 or 1.3."""

    def __post_init__(self) -> None:
        check_version(self.min_version)
        if self.key and not self.certificate:
            raise ConfigError("a key without its certificate", fix="set certificate, too, or drop key")

    def placed(self, base: Path) -> TlsClientSettings:
        """With the files found from ``base``."""
        ca, certificate, key = (place_file(base, path) for path in (self.ca, self.certificate, self.key))
        return replace(self, ca=ca, certificate=certificate, key=key)

    def context(self) -> ssl.SSLContext:
        """Made anew of the files; LocalError where one cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _VERSIONS[self.min_version]
        context.check_hostname = False  # voicegw.sip.identity does it, and knows SIP domains besides
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        if self.ca:
            _read(self.ca, lambda: context.load_verify_locations(self.ca))
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self.certificate:
            _read(self.certificate, lambda: context.load_cert_chain(self.certificate, self.key or None))
        return context


class TlsClients:
    """Which settings hold for which server name. Trunks set theirs; all others get ``default``."""

    def __init__(self, default: TlsClientSettings) -> None:
        self.default = default
        self._settings: dict[str, TlsClientSettings] = {}
        self._contexts: dict[TlsClientSettings, ssl.SSLContext] = {}

    def set(self, server_name: str, settings: TlsClientSettings | None) -> None:
        """For connections to ``server_name``, as it is dialled, from now on; None: the default again."""
        if settings is None:
            self._settings.pop(server_name.lower(), None)
        else:
            self._settings[server_name.lower()] = settings

    def settings(self, server_name: str) -> TlsClientSettings:
        """What holds for ``server_name``."""
        return self._settings.get(server_name.lower(), self.default)

    def context(self, server_name: str) -> ssl.SSLContext:
        """For one connection; LocalError where a file cannot be used."""
        settings = self.settings(server_name)
        if settings not in self._contexts:
            self._contexts[settings] = settings.context()
        return self._contexts[settings]

    def reload(self) -> None:
        """Read the files anew for the next connection."""
        self._contexts.clear()


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How a listener speaks TLS."""

    certificate: str
    key: str
    client_ca: str
    client_certificates: ClientCertificates
    min_version: str

    def context(self) -> ssl.SSLContext:
        """Made anew of the files; LocalError where one cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self.min_version]
        context.options |= ssl.OP_NO_RENEGOTIATION
        _read(self.certificate, lambda: context.load_cert_chain(self.certificate, self.key or None))
        if self.client_ca:
            _read(self.client_ca, lambda: context.load_verify_locations(self.client_ca))
        context.verify_mode = _VERIFY[self.client_certificates]
        return context

    def state(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when one of the files does; () while one of them is not there."""
        try:
            stats = [Path(file).stat() for file in (self.certificate, self.key, self.client_ca) if file]
        except OSError:
            return ()
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)


class ServerContext:
    """The context in force. New files count from the next handshake on; connections that are up go on.

    Files that cannot be used change nothing: a renewal that is half done must not close the door.
    """

    def __init__(self, tls: ServerTls, counters: Counters) -> None:
        """LocalError where a file cannot be used."""
        self._tls = tls
        self._counters = counters
        self._state = tls.state()
        self._context = tls.context()
        self._looked = 0.0

    def current(self, now: float) -> ssl.SSLContext:
        """For a handshake that begins now."""
        if now - self._looked > LOOK_AGAIN_S:
            self._looked = now
            state = self._tls.state()
            if state and state != self._state:
                self.reload()
        return self._context

    def use(self, tls: ServerTls) -> None:
        """Speak TLS in another way, for handshakes from now on."""
        if tls != self._tls:
            self._tls = tls
            self.reload()

    def reload(self) -> None:
        """Read the files anew."""
        state = self._tls.state()
        try:
            self._context = self._tls.context()
        except LocalError as error:
            self._counters.add(SipCounter.CERTIFICATES_REFUSED)
            log.error("the old certificate stays in force: %s", error)
            return
        self._state = state
        self._counters.add(SipCounter.CERTIFICATES_RELOADED)
        log.info("certificate read anew", extra={"file": self._tls.certificate})


def check_version(version: str) -> None:
    """ConfigError unless it is one that is spoken."""
    if version not in _VERSIONS:
        raise ConfigError(f"min_version is {version!r}", fix=f"choose from {', '.join(_VERSIONS)}, in quotes")


def place_file(base: Path, path: str) -> str:
    """A file named in a configuration in ``base``; "" stays."""
    return str(base / path) if path else ""


def _read(path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise LocalError(f"{path} cannot be used for TLS: {reason}") from error
