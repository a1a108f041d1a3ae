"""The limits of the guard at the SIP port."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from voicegw.base.errors import ConfigError
from voicegw.gateway.token_bucket import Rate
from voicegw.sip.admission import AdmissionLimits

_SCANNERS = (
    "friendly-scanner",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sundayddr",
    "vaxsipuseragent",
    "pplsip",
    "iwar",
    "smap",
)


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """Rates are SIP messages a second. An address that has a call with us, or had one lately, is acquainted."""

    trusted: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks without limits. Programs on this machine are: nobody else can send from its loopback addresses."""
    balancers: tuple[str, ...] = ()
    """Networks of proxies in front, trusted as well, which say who sent a request in ``X-Voicegw-Source`` and take
    away what the sender had written there. By that address passwords are rationed and bans hold."""
    stranger_per_s: float = 20.0
    """For one unknown address: some six calls a second. A message counts once for each 2 kB of it."""
    stranger_burst: float = 60.0
    """At once, after a pause."""
    strangers_per_s: float = 200.0
    """For all unknown addresses together: what a flood from forged addresses may cost, some 10 % of a core."""
    acquainted_per_s: float = 3000.0
    """For one acquainted address: 600 calls a second with all their messages."""
    acquainted_s: float = 3600.0
    """How long an address is remembered after its last call, in seconds."""
    refusals: int = 20
    """So many refusals (404, 405, 481 and their kin) without a call between them, and the address is banned."""
    refusal_forgotten_s: float = 60.0
    """After this time one refusal is forgotten, in seconds."""
    wrong_answers: int = 20
    """More wrong answers to our challenges than this (an old password, a name that nobody has), and the address is
    banned. The first ten get a challenge again, the next ones 503 with Retry-After (``phones.failures``)."""
    unanswered: int = 100
    """More challenges than this to which no answer came, and the address is banned: a phone answers each of them,
    who walks through names none. More than ``stranger_burst``, as so many answers may be on their way."""
    answer_forgotten_s: float = 30.0
    """After this time one wrong answer and one missing one are forgotten, in seconds: a phone with an old password
    that tries twice a minute is never banned."""
    proven_patience: float = 10.0
    """So many times as many of both, forgotten so many times as fast, are taken from an address from which somebody
    proved to be one of our phones within ``acquainted_s``: behind NAT it is that of all phones of a house."""
    flood_messages: int = 1000
    """So many messages beyond its rate, without a pause, and a stranger is banned."""
    ban_s: float = 600.0
    """How long a banned address gets silence, in seconds."""
    scanners: tuple[str, ...] = _SCANNERS
    """Banned at the first message: parts of the User-Agent header, in lower case."""
    half_open: int = 30
    """Calls of strangers that were answered and not acknowledged. More, and the oldest one makes room or the next
    stranger gets 503."""
    calls_per_stranger: int = 10
    """Calls at once from one unknown address."""
    calls_per_source: int = 1000
    """Calls at once from any one address."""

    def __post_init__(self) -> None:
        for network in (*self.trusted, *self.balancers):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ConfigError(f"no network: {network!r}", fix="write 192.0.2.0/24, or one address") from None
        times = ("refusal_forgotten_s", "answer_forgotten_s")
        for name in (*times, "stranger_per_s", "strangers_per_s", "acquainted_per_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be more than 0", fix="leave it out to take the default")
        for name in ("wrong_answers", "unanswered", "proven_patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more", fix="leave it out to take the default")
        if any(name != name.lower() or not name.isascii() or not name for name in self.scanners):
            raise ConfigError("scanners are written in lower case", fix="write friendly-scanner")

    def admission(self, max_transactions: int) -> AdmissionLimits:
        """The part that the user agent enforces. One address may not take all transactions from the others."""
        return AdmissionLimits(
            per_source=self.calls_per_source,
            per_stranger=self.calls_per_stranger,
            transactions_per_source=max_transactions * 9 // 10,
            half_open=self.half_open,
        )

    @property
    def stranger(self) -> Rate:
        """The rate of one unknown address."""
        return Rate(self.stranger_per_s, self.stranger_burst)

    @property
    def strangers(self) -> Rate:
        """The rate of all unknown addresses together; a second's worth at once."""
        return Rate(self.strangers_per_s, self.strangers_per_s)

    @property
    def acquainted(self) -> Rate:
        """The rate of an address that is known; two seconds' worth at once."""
        return Rate(self.acquainted_per_s, 2 * self.acquainted_per_s)

    @property
    def refusal_rate(self) -> Rate:
        """How refusals are forgiven."""
        return Rate(1.0 / self.refusal_forgotten_s, float(self.refusals))
