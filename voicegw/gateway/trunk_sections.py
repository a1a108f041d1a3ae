"""The sections of a trunk's settings; ``docs/trunks.md`` is the reference with examples."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.dialplan.checked import StrictModel, did_you_mean
from voicegw.gateway.codecs import CODECS
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.sip.grammar import is_fit
from voicegw.sip.uri import SipUri


def _network(value: object) -> object:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError as error:
        raise ValueError(f"{error}\nfix: write 192.0.2.7 or 192.0.2.0/24") from None


def _sip_uri(value: str) -> str:
    try:
        SipUri.parse(value)
    except RemoteProtocolError:
        raise ValueError(f"'{value}' is no SIP URI\nfix: write sip:sip.example.net;lr") from None
    return value


def _codec(value: str) -> str:
    if value not in CODECS:
        raise ValueError(f"there is no codec '{value}'\nfix: {did_you_mean(value, CODECS)}")
    return value


def _one_name(host: str) -> str:
    """A colon is part of an IPv6 address, or the mistake of a port."""
    if ":" not in host:
        return host
    try:
        ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{host!r} is no name and no address\nfix: set 'port:' beside 'hosts:'") from None
    return host


def _pattern(value: str) -> str:
    try:
        TargetPolicy((value,))
    except ConfigError as error:
        raise ValueError(f"{error.message}\nfix: {error.fix}") from None
    return value


Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:\[\]_-]{1,253}$"), AfterValidator(_one_name)]
"""A name, or an address (IPv6 with or without brackets)."""
Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+*#._-]{1,64}$")]
"""A phone number or user part; with ``*`` at its end a beginning, ``*`` alone is any."""
Line = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00\r\n]*$")]
"""A line of text: nothing in it can end a header or, NUL, be refused by a database."""
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.!%_`'~-]{1,64}\*?$|^\*$")]
"""The name of a header in any case; with ``*`` at its end a beginning, ``*`` alone is any."""
IpNetwork = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_network)]
SipUriText = Annotated[Line, AfterValidator(_sip_uri)]
TargetPattern = Annotated[Line, AfterValidator(_pattern)]
"""Targets that a peer may name, as in ``sip.forward_to``: sip:*@10.0.0.7."""
CodecName = Annotated[str, AfterValidator(_codec)]
Identity: TypeAlias = Literal["none", "pai", "ppi", "rpid"]

_OWN_HEADERS = re.compile(
    r"(?i)via|from|to|call-id|cseq|contact|max-forwards|route|record-route|content-(type|length)|allow|supported"
    r"|require|proxy-require|(proxy-)?authorization|session-expires|min-se|rseq|rack|replaces|[vftimlckxb]"
)
"""What the protocol itself writes: setting one by hand would break calls."""


class Quirk(StrEnum):
    """What a peer does differently, and we then follow."""

    NUMBER_IN_TO = "number_in_to"
    """The Request-URI has the account that we registered; the number that was dialled stands in To."""
    NUMBER_IN_DISPLAY_NAME = "number_in_display_name"
    """From has the name of the line; the caller's number stands in its display name."""


class RegistrationSettings(StrictModel):
    """How we log in at the other side (RFC 3261 §10)."""

    registrar: SipUriText | Literal[""] = ""
    """Its SIP URI; empty: the trunk's ``domain``."""
    expires_s: int = Field(default=3600, ge=30, le=604_800)
    """What we ask for; what the registrar grants counts."""
    retry_s: int = Field(default=30, ge=1, le=3600)
    """After a failure the first new try comes then, and each one later, up to ten minutes."""
    contact_user: Line = ""
    """User part of our Contact, which incoming calls come back with; empty: the username."""
    outbound: bool = False
    """Offer RFC 5626: incoming calls come by the connection that we registered with."""


class TlsSettings(StrictModel):
    """Our identity towards this trunk, and whom we take for it. Files in PEM, with whole paths.

    Their certificate must have the name that was dialled (RFC 5922 §7.1).
    """

    certificate: Line = ""
    """Our certificate and what is between it and the root; empty: the node's."""
    key: Line = ""
    """The key of the certificate."""
    ca: Line = ""
    """Whose certificates we believe; empty: the machine's."""
    verify: bool = True
    """False takes any certificate: for tests, never across a network."""
    allowed_names: tuple[Host, ...] = ()
    """A call whose connection showed a certificate with one of these names comes from this trunk."""


class CallerIdSettings(StrictModel):
    """Which number a call out shows, and what we believe of the numbers that calls in show."""

    number: Line = ""
    """For calls of our own, and in place of what is not allowed; empty: the username."""
    name: Line = ""
    """The name beside it."""
    allowed: tuple[Number, ...] = ("*",)
    """Callers' numbers that may be shown when their call is passed on."""
    from_user: Literal["number", "account"] = "number"
    """``account``: From has the username, as registrars demand, and the number stands in ``identity`` alone."""
    identity: Identity = "none"
    """The header that has the number besides From: P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID."""
    privacy: Literal["never", "pass_on", "always"] = "pass_on"
    """When the number is withheld (RFC 3323): never, where the caller withheld it, always."""
    trusted: bool = False
    """Whether its P-Asserted-Identity, Remote-Party-ID and verstat are believed (RFC 3325 §6)."""


class IdentitySettings(StrictModel):
    """Signed callers (STIR, RFC 8224): whether signatures are verified, and which calls are then refused.

    A word alone is the policy. ``docs/identity.md`` is the reference.
    """

    policy: Literal["off", "inform", "require"] = "off"
    """``inform``: verify and tell; ``require``: refuse in addition what does not pass."""
    attestation: Literal["", "A", "B", "C"] = ""
    """With ``require``: the least that the signature must attest; empty: any, or none (a plain PASSporT)."""
    unsigned: Literal["refuse", "accept"] = "refuse"
    """With ``require``: what becomes of calls without an Identity."""
    unfinished: Literal["refuse", "accept"] = "accept"
    """With ``require``: of those whose certificate did not come before ``sip.identity.deadline_ms``."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"policy": value} if isinstance(value, str) else value


class HeaderSettings(StrictModel):
    """Which headers pass, besides those that the protocol needs."""

    incoming: tuple[HeaderName, ...] = ("*",)
    """What dialplan and agent see of an INVITE. Credentials they never see."""
    outgoing: tuple[HeaderName, ...] = ("X-*", "User-to-User", "Subject")
    """What agents, dialplan and API may set in a call out."""
    fixed: dict[HeaderName, Line] = Field(default_factory=dict)
    """In every INVITE of ours."""
    max_bytes: int = Field(default=4096, ge=64, le=32_768)
    """The longest value, either way. A longer one is left out, and counted."""
    max_count: int = Field(default=32, ge=1, le=128)
    """How many of them, either way."""

    @field_validator("outgoing", "fixed")
    @classmethod
    def _not_ours(cls, value: object) -> object:
        names = value if isinstance(value, dict | tuple) else ()
        for name in names:
            if _OWN_HEADERS.fullmatch(str(name)):
                raise ValueError(f"{name} is written by the protocol itself\nfix: remove it")
        if isinstance(value, dict) and any(not is_fit(text) or name.endswith("*") for name, text in value.items()):
            raise ValueError("a fixed header has a whole name and one line of latin-1\nfix: spell it out")
        return value


class NumberSettings(StrictModel):
    """The form of numbers: inside, they are E.164 with a plus where the country is known."""

    country_code: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}$|^$")] = ""
    """Such as 49. Empty: numbers are left as they are."""
    national_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,3}$")] = "0"
    """What is dialled before a number of the same country."""
    international_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,5}$")] = "00"
    """What is dialled before a country code."""
    send: Literal["as_is", "e164", "digits", "national", "international"] = "as_is"
    """Calls out: as it is, +4930123, 4930123, 030123 (or 0043…), 004930123."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{0,16}$")] = ""
    """Before the number of every call out, such as an exchange line's 0."""
    user_phone: bool = False
    """Write ``;user=phone`` behind a number (RFC 3261 §19.1.1)."""


class HealthSettings(StrictModel):
    """OPTIONS as a sign of life (RFC 3261 §11)."""

    options_s: float = Field(default=30.0, ge=0, le=3600)
    """Between two of them; 0: none, and the trunk counts as up."""
    down_after: int = Field(default=3, ge=1, le=100)
    """So many without an answer, and calls go to the next host or trunk."""


class ReferSettings(StrictModel):
    """REFER (RFC 3515) across this trunk."""

    outgoing: bool = True
    """Whether we ask the other side to move a caller; else we make the call and bridge."""
