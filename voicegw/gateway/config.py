"""How this node speaks SIP."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.gateway.codecs import CODECS, DEFAULT, preferences, with_noise
from voicegw.gateway.connections import ConnectionLimits
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.key_policy import KeyPolicy
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.gateway.leg_security import MediaSecurity
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.tls_config import TlsClientSettings
from voicegw.rtp.srtp import available_suites
from voicegw.sdp.codecs import Codec
from voicegw.sdp.security import SrtpPolicy
from voicegw.sip.address import Transport, is_literal
from voicegw.sip.provisional import ReliablePolicy
from voicegw.sip.session_timer import SessionTimerPolicy

SRTP_POLICIES = tuple(policy.value for policy in SrtpPolicy)
_STRANGERS = ("open", "refuse", "silent")


@dataclass(frozen=True, slots=True)
class SipConfig:
    """The SIP section of the configuration."""

    listen_ip: str = "0.0.0.0"
    """Where we are reached by UDP and TCP, unless ``listeners`` say more. 0.0.0.0 is every IPv4 interface; each
    peer is told the one that it reaches."""
    listen_port: int = 5060
    """Port of both sockets; 0 takes a free one, for tests."""
    advertised_ip: str = ""
    """Our address as peers see it, where NAT stands between; empty to use the socket's own."""
    listeners: tuple[ListenerConfig, ...] = ()
    """Every socket that listens, in place of ``listen_ip`` and ``listen_port``: for TLS, WebSocket, IPv6 or more
    than one address."""
    tls_client: TlsClientSettings = field(default_factory=TlsClientSettings)
    """How we connect to servers by TLS; trunks may have settings of their own."""
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    """TCP connections at once."""
    datagram_limit: int = 1300
    """A request of more bytes goes by TCP where it would have gone by UDP, which might lose it in pieces (RFC 3261
    §18.1.1); by UDP again where no TCP connection can be made. 0: never. Without a TCP listener: never."""
    user_agent: str = "voicegw"
    """What Server and User-Agent headers say; empty for none."""
    t1_ms: int = 500
    """RFC 3261 timer T1, from which retransmissions and timeouts follow. Smaller only in closed networks."""
    max_calls: int = 1000
    """SIP calls at once, answered or not; one more gets 503 before anything else is told of it."""
    max_transactions: int = 40_000
    """Requests remembered at once, each for about 32 s to recognise its retransmissions; about 2 kB each."""
    overload_ms: int = 250
    """When messages wait longer than this before they are read, new calls get 503 until they do not."""
    max_setups: int = 30
    """Calls at once that wait for our answer, announcements not counted; one more gets 503. A set-up takes some 15
    ms of a processor, so that the last of so many is answered within T1, before its INVITE is sent again."""
    retry_after_s: int = 10
    """What a 503 asks the peer to wait."""
    session_expires_s: int = 1800
    """A call is refreshed, by either side, at least this often, or ended (RFC 4028). 0: only where a peer asks."""
    min_se_s: int = 90
    """The shortest such interval that we agree to. Smaller only in closed networks."""
    reliable_1xx: str = "media"
    """Which responses before the answer are repeated until the caller acknowledges them (RFC 3262): media (those
    with early media), always, or required (only for callers that insist, who get all of them so in any case)."""
    forward_to: tuple[str, ...] = ()
    """Whom peers may send our calls to, by REFER or by a redirection (3xx): patterns such as sip:*@10.0.0.7, in
    which * is any text. Empty is nobody, as whoever may name a number of their own makes us pay for it."""
    accept_messages: bool = False
    """Whether text (SIP MESSAGE) is taken from outside calls, too. Within calls it always is."""
    replaceable: bool = True
    """Whether a new dialog may take the place of a running one (RFC 3891), as phones do at attended transfers. Only
    who was in the old dialog, or on its way, knows its Call-ID and tags."""
    codecs: tuple[str, ...] = DEFAULT
    """Audio codecs, best first in our own offers: PCMU, PCMA, G722, opus. In answers the caller's order counts."""
    comfort_noise: str = "off"
    """How our own pauses are sent, for phones and wherever a trunk does not say: off (as audio like all else) or
    send (as comfort noise, RFC 3389, to peers that take it). Many PBXs take missing packets for a dead line."""
    dtmf: str = "auto"
    """By which way keys come and go, for phones and wherever a trunk does not say: auto (telephone events, else
    tones; INFO counts where it comes), rfc4733 (events only), info (SIP INFO only) or inband (tones only)."""
    srtp: str = "optional"
    """Encrypted audio (RFC 3711) with keys in SDP (RFC 4568), for phones and wherever a trunk does not say: off,
    optional (with whoever can) or required (or no call)."""
    srtp_in_clear: bool = False
    """Also where SIP is not under TLS, so that anybody on the way can read the keys: for networks that are trusted.
    A trunk may say so for itself."""
    srtp_suites: tuple[str, ...] = tuple(SRTP_SUITES)
    """The suites that are offered, best first, and taken."""
    strangers: str = "open"
    """Calls from addresses of no trunk: open (the dialplan decides), refuse (403), or silent: no answer at all, but
    for addresses in ``guard.trusted`` and ``guard.balancers``, which get 403."""
    guard: GuardConfig = field(default_factory=GuardConfig)
    """What unknown addresses may send."""
    ladder: LadderConfig = field(default_factory=LadderConfig)
    """What is kept of the signalling of each call."""
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    """How signatures of callers are verified, where a trunk wants that."""
    locating: LocatingConfig = field(default_factory=LocatingConfig)
    """How servers are found, and what happens to those that fail."""

    def __post_init__(self) -> None:
        for name in ("listen_ip", "advertised_ip"):
            value = getattr(self, name)
            if (value or name == "listen_ip") and not is_literal(value):
                raise ConfigError(
                    f"{name} is no IP address: {value!r}", fix=f"write {name} as digits, not as a name"
                )
        if not 0 <= self.listen_port <= 65535:
            raise ConfigError(f"listen_port is no port: {self.listen_port}", fix="take 5060")
        if self.datagram_limit < 0:
            raise ConfigError(f"datagram_limit is {self.datagram_limit}", fix="take 1300, or 0 for no limit")
        if not 10 <= self.t1_ms <= 4000:
            raise ConfigError(f"t1_ms is out of range: {self.t1_ms}", fix="take 500, or from 10 to 4000")
        if self.strangers not in _STRANGERS:
            choices = ", ".join(_STRANGERS)
            raise ConfigError(f"strangers cannot be {self.strangers!r}", fix=f"one of: {choices}")
        if self.max_setups < 1:
            raise ConfigError(f"max_setups is {self.max_setups}", fix="take 30, or at least 1")
        if not 20 <= self.overload_ms <= 10_000:
            raise ConfigError(f"overload_ms is out of range: {self.overload_ms}", fix="take 250")
        if self.reliable_1xx not in {policy.value for policy in ReliablePolicy}:
            choices = ", ".join(policy.value for policy in ReliablePolicy)
            raise ConfigError(f"reliable_1xx cannot be {self.reliable_1xx!r}", fix=f"one of: {choices}")
        if self.dtmf not in {policy.value for policy in KeyPolicy}:
            choices = ", ".join(policy.value for policy in KeyPolicy)
            raise ConfigError(f"dtmf cannot be {self.dtmf!r}", fix=f"one of: {choices}")
        TargetPolicy(self.forward_to)
        SessionTimerPolicy(self.session_expires_s, self.min_se_s)
        self._check_srtp()
        if self.comfort_noise not in ("off", "send"):
            raise ConfigError(f"comfort_noise is {self.comfort_noise!r}", fix="take off or send")
        unknown = [name for name in self.codecs if name not in CODECS]
        if unknown or not self.codecs:
            known = ", ".join(CODECS)
            raise ConfigError(f"unknown codecs: {', '.join(unknown) or 'none given'}", fix=f"choose from {known}")

    def _check_srtp(self) -> None:
        if self.srtp not in SRTP_POLICIES:
            choices = ", ".join(SRTP_POLICIES)
            raise ConfigError(f"srtp cannot be {self.srtp!r}", fix=f"one of: {choices}")
        unknown = [name for name in self.srtp_suites if name not in SRTP_SUITES]
        if unknown or not self.srtp_suites:
            given = ", ".join(unknown) or "none given"
            raise ConfigError(f"unknown SRTP suites: {given}", fix=f"choose from {', '.join(SRTP_SUITES)}")
        if self.srtp != SrtpPolicy.REQUIRED:
            return
        if not self.media_security.suites:
            raise ConfigError("srtp is required, but its library is missing", fix=pip_install("pylibsrtp"))
        if not self.srtp_in_clear and not any(listener.kind.is_secure for listener in self.reached_by):
            raise ConfigError(
                "srtp is required, but nobody can reach us by TLS, so that the keys could be read on the way",
                fix="add a listener of kind tls, or srtp_in_clear in a network that you trust",
            )

    @property
    def keys(self) -> KeyPolicy:
        """By which way keys come and go where no trunk says otherwise."""
        return KeyPolicy(self.dtmf)

    @property
    def media_security(self) -> MediaSecurity:
        """What may be agreed about SRTP where no trunk says otherwise."""
        suites = tuple(name for name in self.srtp_suites if name in available_suites())
        return MediaSecurity(SrtpPolicy(self.srtp), self.srtp_in_clear, suites)

    @property
    def reached_by(self) -> tuple[ListenerConfig, ...]:
        """The listeners, those of the simple form included; a public address of the node holds for its family."""
        given = self.listeners or (
            ListenerConfig("udp", self.listen_port, self.listen_ip),
            ListenerConfig("tcp", self.listen_port, self.listen_ip),
        )
        return tuple(self._advertised(listener) for listener in given)

    def _advertised(self, listener: ListenerConfig) -> ListenerConfig:
        fits = (":" in listener.ip) == (":" in self.advertised_ip)
        if listener.advertised_ip or not self.advertised_ip or not fits:
            return listener
        return replace(listener, advertised_ip=self.advertised_ip)

    @property
    def stream_above(self) -> int:
        """Requests of more bytes than this go by TCP; 0: none do."""
        has_tcp = any(listener.kind is Transport.TCP for listener in self.reached_by)
        return self.datagram_limit if has_tcp else 0

    def placed(self, base: Path) -> SipConfig:
        """With the files found from ``base``."""
        listeners = tuple(listener.placed(base) for listener in self.listeners)
        identity = self.identity.placed(base)
        return replace(self, listeners=listeners, tls_client=self.tls_client.placed(base), identity=identity)

    @property
    def preferences(self) -> tuple[Codec, ...]:
        """The codecs for offers and answers; keypad events come along, unless ``dtmf`` leaves them out."""
        return with_noise(preferences(self.codecs), wanted=self.comfort_noise == "send")
