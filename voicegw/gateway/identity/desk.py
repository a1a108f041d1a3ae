"""Where a call waits until its caller's signature is checked. Belongs to the gateway's loop.

Only trunks that ask for it have their calls verified, and nothing is read or fetched before the first such call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.gateway.events import LegInvited
from voicegw.gateway.identity.certificates import Certificates
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.fetching import Fetch, WebFetch
from voicegw.gateway.identity.policy import refusal, told
from voicegw.gateway.identity.said import claims_of
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip.message import Request
from voicegw.stir.credentials import Anchors, read_revoked, read_roots
from voicegw.stir.faults import IdentityFault
from voicegw.stir.passport import Passport
from voicegw.stir.replays import Replays
from voicegw.stir.verification import Claims, Proof, examine, judge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a call now; ``refused`` says why it is not taken."""

    invited: LegInvited
    refused: RouteRefused | None = None


class IdentityDesk:
    """``fetch``: how certificates are got; None for the web. Raises ConfigError for files that cannot be used."""

    def __init__(
        self, config: IdentityConfig, clock: Clock, counters: Counters, fetch: Fetch | None = None
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._fetch = fetch
        self._replays = Replays(config.replays, 2 * config.window_s)
        self._put_in_force(config)

    def use(self, config: IdentityConfig) -> None:
        """Another configuration; one that cannot be used leaves everything as it was."""
        if config != self._config:
            self._change(config)

    def reload(self) -> None:
        """Read the files anew."""
        self._change(self._config)

    def _change(self, config: IdentityConfig) -> None:
        before = self._config
        try:
            self._put_in_force(config)
            if (config.replays, config.window_s) != (before.replays, before.window_s):
                self._replays = Replays(config.replays, 2 * config.window_s)
        except ConfigError as error:
            log.error("identities: the old settings stay in force: %s", error)

    def close(self) -> None:
        """Stop fetching."""
        self._certificates.close()

    @staticmethod
    def verifies(trunk: Trunk | None) -> bool:
        """Whether calls of this trunk are verified."""
        return trunk is not None and trunk.settings.identity.policy != "off"

    async def verify(self, invited: LegInvited, request: Request, trunk: Trunk) -> Verdict:
        """What is to be said of the call now; takes ``deadline_ms`` at most, and no time where all is known."""
        settings = trunk.settings
        begun = self._clock.monotonic()
        found = await self._find(claims_of(request, invited.parties, settings.numbering), invited.sip_call_id)
        self._counters.observe("identity_check_seconds", self._clock.monotonic() - begun)
        result = "passed" if isinstance(found, Proof) else found.fault.value.name
        self._counters.add(f"identity_checked_{result}")
        parties = told(invited.parties, found)
        refused = refusal(settings.identity, parties, found)
        if refused is not None:
            self._counters.add("identity_calls_refused")
        return Verdict(replace(invited, parties=parties), refused)

    async def _find(self, claims: Claims, call_id: str) -> Proof | IdentityFault:
        config, clock = self._config, self._clock
        examined = examine(claims, clock.wall(), config.window_s)
        certificates = await self._certificates.obtain(examined.urls, config.deadline_ms / 1000)
        wall = clock.wall()

        def is_new(passport: Passport) -> bool:
            return not config.once or self._replays.is_new(passport.signed, call_id, wall)

        try:
            return judge(examined, claims, certificates, wall, is_new)
        except IdentityFault as fault:
            return fault

    def _put_in_force(self, config: IdentityConfig) -> None:
        anchors, fetch = _anchors(config), self._fetch or WebFetch(config)
        self._config = config
        self._certificates = Certificates(config, anchors, fetch, self._clock, self._counters)


def check_identity(config: IdentityConfig) -> None:
    """Raises ConfigError where one of its files cannot be used."""
    _anchors(config)
    WebFetch(config)


def _anchors(config: IdentityConfig) -> Anchors:
    roots = [root for file in config.trust_anchors for root in read_roots(_bytes_of(file), file)]
    revoked = [one for file in config.revoked for one in read_revoked(_bytes_of(file), file)]
    return Anchors(roots, config.policies, revoked)


def _bytes_of(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file, fix="see sip.identity") from None
