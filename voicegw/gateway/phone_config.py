"""The phones of people: who may register here, and how they are kept reachable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.sip.digest import Algorithm
from voicegw.sip.digest_server import DigestPolicy
from voicegw.sip.failures import FailureLimits
from voicegw.sip.grammar import check_host
from voicegw.sip.registrar import RegistrarLimits

_NAME: Final = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_BY_NAME: Final = {kind.value: kind for kind in Algorithm}


def is_phone_name(text: str) -> bool:
    """Whether a phone may be called that: it stands in a SIP URI and in a digest as it is."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class PhoneAccount:
    """One who may register. The password is nowhere: HA1 is its hash with name and realm (RFC 7616 §3.4.2)."""

    name: str
    """The user part of the address, and the name in the digest."""
    ha1: Mapping[Algorithm, str] = field(default_factory=dict, repr=False)
    display_name: str = ""
    user: str = ""
    """The user of the API whose phone it is."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class PhoneEntry:
    """A phone in the configuration file; ``voicegw phone secret`` makes the hashes."""

    name: str
    """The user part of its address, such as ``anna`` of ``sip:anna@voice.example``."""
    md5: str = field(default="", repr=False)
    """HA1 with MD5, 32 hexadecimal digits: the only one that many phones know."""
    sha256: str = field(default="", repr=False)
    """HA1 with SHA-256, 64 digits."""
    sha512_256: str = field(default="", repr=False)
    """HA1 with SHA-512-256, 64 digits."""
    display_name: str = ""
    """For people."""
    user: str = ""
    """The user of the API whose phone it is, by name."""

    def __post_init__(self) -> None:
        if not is_phone_name(self.name):
            raise ConfigError(f"no name for a phone: {self.name!r}", fix="take letters, digits and _ . + -")
        for kind, digits in self._hashes():
            if digits and (len(digits) != kind.hex_digits or not re.fullmatch("[0-9a-f]+", digits)):
                raise ConfigError(
                    f"the {kind.value} hash of phone {self.name} is none",
                    fix=f"voicegw phone secret {self.name} makes one",
                )
        if not any(digits for _, digits in self._hashes()):
            raise ConfigError(
                f"phone {self.name} has no secret", fix=f"add what voicegw phone secret {self.name} prints"
            )

    def _hashes(self) -> tuple[tuple[Algorithm, str], ...]:
        return (
            (Algorithm.MD5, self.md5),
            (Algorithm.SHA_256, self.sha256),
            (Algorithm.SHA_512_256, self.sha512_256),
        )

    @property
    def account(self) -> PhoneAccount:
        """As the registrar keeps it."""
        ha1 = {kind: digits for kind, digits in self._hashes() if digits}
        return PhoneAccount(self.name, ha1, self.display_name, self.user)


@dataclass(frozen=True, slots=True)
class PhonesConfig:
    """The registrar for desk phones and softphones of supervisors and human agents."""

    domain: str = ""
    """Our SIP domain: phones register at it and are called as ``sip:NAME@DOMAIN``. Empty: nobody registers here."""
    realm: str = ""
    """What the passwords are for; empty: the domain. All secrets have to be made anew when it changes."""
    accounts: tuple[PhoneEntry, ...] = ()
    """Phones that are configured here; others are added by the API."""
    algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    """What phones may prove themselves with, the preferred first: SHA-512-256, SHA-256, MD5."""
    md5_only: tuple[str, ...] = ("baresip v0.", "baresip v1.0")
    """Parts of the User-Agent of phones that fail when they are offered anything but MD5: they get nothing else."""
    nonce_life_s: float = 300.0
    """How long one challenge can be answered, in seconds."""
    failures: int = 10
    """Wrong passwords of one address at once; then it is not listened to, and regains one every six seconds."""
    expires_s: int = 3600
    """For phones that ask for no time."""
    min_expires_s: int = 60
    """Phones that ask for less are told this (423)."""
    max_expires_s: int = 7200
    """Phones that ask for more get this."""
    max_contacts: int = 5
    """Devices of one name at once."""
    max_bindings: int = 10_000
    """Devices of all names at once."""
    ping_s: float = 25.0
    """How often a phone behind NAT is sent an OPTIONS, so that the way to it stays open; 0: never."""
    pings_missed: int = 3
    """So many without an answer, and the phone is gone."""
    ring_s: float = 20.0
    """How long the devices of one preference ring before those of the next do."""

    def __post_init__(self) -> None:
        try:
            check_host(self.domain or "none")
        except RemoteProtocolError:
            raise ConfigError(f"no domain: {self.domain!r}", fix="write voice.example.net") from None
        unknown = [name for name in self.algorithms if name not in _BY_NAME]
        if unknown or not self.algorithms:
            raise ConfigError(
                f"unknown algorithms: {', '.join(unknown) or 'none given'}",
                fix=f"choose from {', '.join(_BY_NAME)}",
            )
        names = [entry.name for entry in self.accounts]
        if len(set(names)) != len(names):
            raise ConfigError("two phones have the same name", fix="rename one")
        if self.accounts and not self.domain:
            raise ConfigError("there are phones, but no domain", fix="add phones.domain")
        if not 0 < self.min_expires_s <= self.expires_s <= self.max_expires_s:
            raise ConfigError(
                "min_expires_s, expires_s and max_expires_s are not in order", fix="leave them out: 60, 3600, 7200"
            )
        for name in ("nonce_life_s", "failures", "max_contacts", "max_bindings", "pings_missed", "ring_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be more than 0", fix="leave it out to take the default")

    @property
    def policy(self) -> DigestPolicy:
        """How phones are asked."""
        algorithms = tuple(_BY_NAME[name] for name in self.algorithms)
        return DigestPolicy(
            self.realm or self.domain,
            algorithms,
            self.md5_only,
            self.nonce_life_s,
            FailureLimits(at_once=self.failures),
        )

    @property
    def limits(self) -> RegistrarLimits:
        """What is granted to phones."""
        return RegistrarLimits(
            self.expires_s, self.min_expires_s, self.max_expires_s, self.max_contacts, self.max_bindings
        )
