"""What is set about a trunk: one model for the files in ``trunks/``, for the store and for the API.

A password is never among the settings: it stands in a variable of the environment that ``password_env`` names, or
sealed in the store.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from voicegw.base.installing import pip_install
from voicegw.dialplan.checked import StrictModel
from voicegw.gateway.key_policy import KeyPolicy
from voicegw.gateway.leg_security import MediaSecurity
from voicegw.gateway.trunk_sections import (
    CallerIdSettings,
    CodecName,
    HeaderSettings,
    HealthSettings,
    Host,
    IdentitySettings,
    IpNetwork,
    Line,
    Number,
    NumberSettings,
    Quirk,
    ReferSettings,
    RegistrationSettings,
    SipUriText,
    TargetPattern,
    TlsSettings,
)
from voicegw.rtp.srtp import available_suites
from voicegw.sdp.security import SrtpPolicy

TrunkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$")]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=500)]


class TrunkSettings(StrictModel):
    """How a carrier or PBX is reached, what we take from it and what it gets."""

    # where it is
    hosts: tuple[Host, ...] = ()
    """Names or addresses, the next where one fails. None: it only calls us, or a registrar alone is named."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """None: as DNS says (RFC 3263), else 5060, or 5061 with TLS."""
    transport: Literal["auto", "udp", "tcp", "tls"] = "udp"
    """``auto``: as DNS says (NAPTR)."""
    domain: Host | Literal[""] = ""
    """The host in our From, To and Request-URI; empty: the first of ``hosts``."""
    outbound_proxies: tuple[SipUriText, ...] = ()
    """SIP URIs that every request passes, in this order, as preloaded routes (RFC 3261 §8.1.2)."""

    # who we are there
    username: Line = ""
    """The account, as it stands in From."""
    auth_username: Line = ""
    """The account as the digest wants it; empty: ``username``."""
    realm: Line = ""
    """Credentials are given to this realm only; empty: to any that the trunk's own hosts name."""
    password_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$")] = ""
    """The environment variable that has the password; empty: the one that is sealed in the store."""
    register_there: bool = False
    """Log in at it."""
    registration: RegistrationSettings = RegistrationSettings()
    tls: TlsSettings = TlsSettings()

    # calls in
    allowed_addresses: tuple[IpNetwork, ...] = Field(default=(), max_length=1000)
    """Addresses and networks (CIDR) that calls of this trunk come from; literal ``hosts`` are among them."""
    challenge_calls: bool = False
    """Its calls have to prove that they know the account's password (401), besides coming from its addresses."""
    numbers: tuple[Number, ...] = Field(default=(), max_length=1000)
    """Ours behind it. Where several trunks come from one address, the called number tells which it is."""

    siprec: bool = False
    """It may open recording sessions (RFC 7866): fork what others say to each other, for us to record."""

    # calls out
    carries: tuple[Number, ...] = Field(default=(), max_length=1000)
    """Numbers that may be called through it; the trunk with the longest match takes the call. Empty: none."""
    refuses: tuple[Number, ...] = Field(default=(), max_length=1000)
    """Exceptions from ``carries``, such as premium rates."""
    priority: int = Field(default=0, ge=0, le=1000)
    """Of two with the same match the smaller one goes first, the other when it is full or down."""

    test_number: Line = ""
    """Whom ``voicegw trunk test`` calls: a number of the provider's that answers and sends back what it hears."""

    # limits
    max_calls: int = Field(default=0, ge=0, le=100_000)
    """At once, both ways; 0: no limit."""
    max_calls_per_s: float = Field(default=0.0, ge=0, le=10_000)
    """New calls, each way; 0: no limit."""
    max_call_s: int = Field(default=0, ge=0, le=604_800)
    """The longest call; 0: as ``call.max_duration_s`` has it."""

    # what is spoken
    codecs: tuple[CodecName, ...] = ()
    """Best first; empty: the node's."""
    comfort_noise: Literal["", "off", "send"] = ""
    """Pauses of ours as comfort noise (RFC 3389), where the peer takes it; empty: as ``sip.comfort_noise`` has
    it."""
    ptime_ms: Literal[10, 20, 30, 40, 60] = 20
    """Audio a packet that we ask for."""
    dtmf: Literal["", "auto", "rfc4733", "info", "inband"] = ""
    """By which way keys come and go; empty: as ``sip.dtmf`` has it."""
    srtp: Literal["", "off", "optional", "required"] = ""
    """Encrypted audio (RFC 3711) with keys in SDP (RFC 4568); empty: as ``sip.srtp`` has it."""
    srtp_in_clear: bool = False
    """Also where SIP is not under TLS, so that anybody on the way can read the keys."""

    caller_id: CallerIdSettings = CallerIdSettings()
    identity: IdentitySettings = IdentitySettings()
    """Whether signatures of its callers are verified."""
    headers: HeaderSettings = HeaderSettings()
    numbering: NumberSettings = NumberSettings()
    keep_alive_s: int = Field(default=0, ge=0, le=3600)
    """Connections of ours to it (TCP, TLS) get a keep-alive after so many seconds of silence, so that no firewall
    forgets them; 0: none."""
    health: HealthSettings = HealthSettings()
    refer: ReferSettings = ReferSettings()
    forward_to: tuple[TargetPattern, ...] | None = None
    """Whom its peers may send our calls to, by REFER or 3xx; none: as ``sip.forward_to`` has it, []: nobody."""
    quirks: dict[Quirk, Reason] = Field(default_factory=dict)
    """What the peer does differently, each with the reason why we follow it."""

    @model_validator(mode="before")
    @classmethod
    def _one_host(cls, value: object) -> object:
        """``host: x`` is short for ``hosts: [x]``."""
        if not isinstance(value, dict) or "host" not in value:
            return value
        if "hosts" in value:
            raise ValueError("has both 'host' and 'hosts'\nfix: put all into 'hosts'")
        return {
            ("hosts" if key == "host" else key): ([one] if key == "host" else one) for key, one in value.items()
        }

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.register_there and not self.username:
            raise ValueError("registers without a 'username'\nfix: add 'username:' as the carrier gave it")
        if self.register_there and not (self.domain or self.hosts or self.registration.registrar):
            raise ValueError("registers, but nobody knows where\nfix: add 'hosts:'")
        if self.carries and not (self.hosts or self.outbound_proxies):
            raise ValueError("carries calls, but nobody knows where to\nfix: add 'hosts:'")
        if self.challenge_calls and not (self.username or self.auth_username):
            raise ValueError("challenge_calls, but there is no account\nfix: add 'username:' and a password")
        if self.srtp == "required" and not available_suites():
            raise ValueError(f"requires SRTP, but its library is missing\nfix: {pip_install('pylibsrtp')}")
        exposed = self.hosts and self.transport in ("udp", "tcp") and not self.srtp_in_clear
        if self.srtp == "required" and exposed:
            raise ValueError(
                f"requires SRTP, but anybody on the way could read its keys over {self.transport}"
                "\nfix: set 'transport: tls', or 'srtp_in_clear: true' in a network that you trust"
            )
        if bool(self.tls.certificate) != bool(self.tls.key):
            raise ValueError("tls has a certificate without a key, or the reverse\nfix: name both files")
        return self

    def key_policy(self, node: KeyPolicy) -> KeyPolicy:
        """What is set here, else what the node has."""
        return KeyPolicy(self.dtmf) if self.dtmf else node

    def media_security(self, node: MediaSecurity) -> MediaSecurity:
        """What is set here, and what the node has where nothing is."""
        policy = SrtpPolicy(self.srtp) if self.srtp else node.policy
        return MediaSecurity(policy, self.srtp_in_clear or node.in_clear, node.suites)


class TrunkFile(TrunkSettings):
    """A file of ``trunks/``."""

    name: TrunkName
    """What dialplan, API and records call it."""
    enabled: bool = True
    """False: no call comes or goes by it."""
