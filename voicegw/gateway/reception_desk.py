"""Who has to say who they are before a call is made of their INVITE: our phones, and trunks that are set so."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Final

from voicegw.base.ids import RandomBytes
from voicegw.gateway.balancers import BANNED
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sip.digest import Algorithm
from voicegw.sip.digest_server import DigestPolicy, DigestServer, Unproven
from voicegw.sip.grammar import to_wire
from voicegw.sip.incoming import Incoming
from voicegw.sip.nonces import SharedNonces
from voicegw.sip.reception import Answer, Decision, Welcome

TRUNK_REALM: Final = "voicegw"
"""What trunks are asked for where phones have no realm."""


class ReceptionDesk:
    """The user agent's :class:`~voicegw.sip.reception.Reception`.

    A trunk's address comes first: a PBX may use our domain without being one of our phones. ``shared``: what other
    nodes ask trunks with, too.
    """

    def __init__(
        self,
        phones: PhoneBook,
        trunks: TrunkDesk,
        policy: DigestPolicy,
        random: RandomBytes,
        shared: SharedNonces | None = None,
    ) -> None:
        self._phones = phones
        self._trunks = trunks
        self._realm = policy.realm or TRUNK_REALM
        asked = DigestPolicy(self._realm, policy.algorithms, policy.md5_only, policy.nonce_life_s, policy.failures)
        self._digest = DigestServer(asked, self._ha1, random, shared)
        self._asked: tuple[Trunk, ...] = ()
        """Whose calls may come from where the request at hand came from."""

    def use(self, policy: DigestPolicy) -> None:
        """Ask trunks in another way from now on."""
        self._realm = policy.realm or TRUNK_REALM
        self._digest.use(replace(policy, realm=self._realm))

    @property
    def registers(self) -> bool:
        """See the protocol."""
        return self._phones.registers

    @property
    def packages(self) -> tuple[str, ...]:
        """See the protocol."""
        return self._phones.packages

    def register(self, incoming: Incoming, now: float) -> Answer:
        """See the protocol."""
        return self._marked(self._phones.register(incoming, now), incoming, now)

    def identify(self, incoming: Incoming, now: float) -> Decision:
        """See the protocol."""
        decision = self._identify(incoming, now)
        if isinstance(decision, Welcome) and self._phones.ignores(incoming, now) > 0:
            decision = Answer(403)
        return self._marked(decision, incoming, now) if isinstance(decision, Answer) else decision

    def _marked(self, answer: Answer, incoming: Incoming, now: float) -> Answer:
        """With a word to the balancer, if the sender is banned by now: it keeps silent from then on."""
        seconds = self._phones.ignores(incoming, now)
        return replace(answer, headers=(*answer.headers, (BANNED, str(ceil(seconds))))) if seconds > 0 else answer

    def _identify(self, incoming: Incoming, now: float) -> Decision:
        here = self._trunks.table.of_host(incoming.source.host)
        if not here:
            return self._phones.identify(incoming, now)
        self._asked = tuple(trunk for trunk in here if trunk.settings.challenge_calls)
        if not self._asked:
            return Welcome()
        if self._phones.ignores(incoming, now) > 0:
            return Answer(403)
        verdict = self._digest.check(incoming.request, self._phones.sender(incoming), now)
        if isinstance(verdict, Unproven):
            return Answer(verdict.status, verdict.headers, is_final=verdict.failed)
        return Welcome()

    def records(self, incoming: Incoming) -> bool:
        """See the protocol. Only a trunk may, and only where that is set about it."""
        return any(trunk.settings.siprec for trunk in self._trunks.table.of_host(incoming.source.host))

    def _ha1(self, username: str, algorithm: Algorithm) -> str | None:
        """From the trunk's password, which we have anyway: the other side may ask for it, too."""
        for trunk in self._asked:
            if trunk.credentials is not None and trunk.credentials.username == username:
                return trunk.credentials.secret(algorithm, to_wire(self._realm))
        return None
