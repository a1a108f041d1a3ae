"""Phones of people: who they are, where they are, and whether they are on a call. Pure, but for being asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.gateway.phone_config import PhoneAccount, PhonesConfig
from voicegw.sip.address import Address
from voicegw.sip.bindings import Binding
from voicegw.sip.digest import Algorithm
from voicegw.sip.digest_server import DigestServer, Proven, Trial, Unproven
from voicegw.sip.grammar import from_wire, unescape
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.nonces import SharedNonces
from voicegw.sip.path import proxy_of
from voicegw.sip.reception import Answer, Decision, Welcome
from voicegw.sip.registrar import Registered, Registrar
from voicegw.sip.uri import SipUri, uri_scheme

_FORBIDDEN: Final = Answer(403, is_final=True)
_NO_PATH: Final = Answer(420, (("Unsupported", "path"),), kept=True)
"""A way that anybody may name leads anywhere (RFC 3327 §6), and without it none leads back."""
DIALOG: Final = "dialog"
PRESENCE: Final = "presence"


@dataclass(frozen=True, slots=True)
class PhoneState:
    """One phone now. ``devices``: what is registered, as it calls itself; ``calls``: how many it takes part in."""

    name: str
    display_name: str
    user: str
    registered: bool
    calls: int
    devices: tuple[str, ...] = ()


class PhoneSharing(Protocol):
    """Other nodes that call our phones; told of what this one finds out by itself."""

    def followed(self, name: str, done: Registered) -> None:
        """A REGISTER was answered with 200."""
        ...

    def dropped(self, name: str, binding: Binding) -> None:
        """A device is gone without a word."""
        ...

    def removed(self, name: str) -> None:
        """All that was bound has ended with the account, or with its password."""
        ...

    def reset(self, names: Iterable[str]) -> None:
        """What is bound of these was read from the store, or their accounts are new."""
        ...


class Unshared:
    """Of a node on its own."""

    def followed(self, name: str, done: Registered) -> None:
        """See the protocol."""

    def dropped(self, name: str, binding: Binding) -> None:
        """See the protocol."""

    def removed(self, name: str) -> None:
        """See the protocol."""

    def reset(self, names: Iterable[str]) -> None:
        """See the protocol."""


class PhoneBook:
    """Accounts, bindings and presence. ``on_registered`` is told of every change of bindings, ``listeners`` of what
    people care for, ``on_trial`` of each request whose sender had to say who they are. ``shared``: what other nodes
    ask phones with, too."""

    def __init__(self, config: PhonesConfig, random: RandomBytes, shared: SharedNonces | None = None) -> None:
        self._config = config
        self._accounts: dict[str, PhoneAccount] = {}
        self._added: tuple[PhoneAccount, ...] = ()
        self._digest = DigestServer(config.policy, self._ha1, random, shared)
        self._calls: Counter[str] = Counter()
        self._told: dict[str, PhoneState] = {}
        self.registrar = Registrar(config.limits)
        self.on_registered: Callable[[str, Address], None] = lambda _name, _source: None
        self.on_trial: Callable[[Trial, Incoming, float], None] = lambda _trial, _incoming, _now: None
        self.sender: Callable[[Incoming], Address] = lambda incoming: incoming.source
        """Whose wrong passwords count; whom a balancer names."""
        self.ignores: Callable[[Incoming, float], float] = lambda _incoming, _now: 0.0
        """Seconds for which that one is banned: nothing of what it says is looked at."""
        self.is_balancer: Callable[[str], bool] = lambda _host: False
        """Whose word is taken for the way to a phone (RFC 3327)."""
        self.sharing: PhoneSharing = Unshared()
        self.listeners: list[Callable[[PhoneState], None]] = []
        self.set_accounts(())

    @property
    def domain(self) -> str:
        """What stands behind the @ of a phone's address."""
        return self._config.domain

    @property
    def registers(self) -> bool:
        """Whether there is a registrar: without a domain there is none."""
        return bool(self._config.domain)

    @property
    def packages(self) -> tuple[str, ...]:
        """What phones may subscribe to of one another."""
        return (DIALOG, PRESENCE) if self.registers else ()

    # ---------------------------------------------------------------- accounts

    def set_accounts(self, added: Iterable[PhoneAccount]) -> list[str]:
        """Those of the configuration and ``added``; returns the names whose bindings ended with their account."""
        self._added = tuple(added)
        accounts = {one.name: one for one in self._added if one.enabled}
        accounts |= {entry.name: entry.account for entry in self._config.accounts}
        if not self.registers:
            accounts = {}
        gone = [name for name in self.registrar.users() if name not in accounts]
        gone += [
            name
            for name, one in accounts.items()
            if name in self._accounts and self._accounts[name].ha1 != one.ha1 and name not in gone
        ]
        fresh, self._accounts = accounts.keys() - self._accounts.keys(), accounts
        dropped = [name for name in gone if self.registrar.remove(name)]
        for name in dropped:
            self._tell(name, 0.0)
            self.sharing.removed(name)
        self.sharing.reset(sorted({*fresh, *dropped}))
        return dropped

    def use(self, config: PhonesConfig) -> list[str]:
        """Other accounts in the configuration, limits of what is registered and ways of asking for passwords from
        now on. With another realm those that were added are gone. Returns as :meth:`set_accounts`."""
        if config.policy.realm != self._config.policy.realm:
            self._added = ()
        self._config = config
        self._digest.use(config.policy)
        self.registrar.limits = config.limits
        return self.set_accounts(self._added)

    def account(self, name: str) -> PhoneAccount | None:
        """The account of this name."""
        return self._accounts.get(name)

    def _ha1(self, username: str, algorithm: Algorithm) -> str | None:
        account = self._accounts.get(username)
        return account.ha1.get(algorithm) if account is not None else None

    # ---------------------------------------------------------------- requests

    def register(self, incoming: Incoming, now: float) -> Answer:
        """REGISTER: who it is, whether it is for themselves, and where they are (RFC 3261 §10.3)."""
        verdict = self._prove(incoming, now)
        if isinstance(verdict, Unproven):
            return Answer(verdict.status, verdict.headers)
        if verdict.username != _user(incoming.request.headers.get("To") or ""):
            return _FORBIDDEN
        source = incoming.source
        if path := incoming.request.headers.values("Path"):
            if not self.is_balancer(source.host):
                return _NO_PATH
            if source.transport.is_reliable:
                source = _proxy(path) or source  # its connection is that of all phones, and of this node alone
        done = self.registrar.register(verdict.username, incoming.request, source, now)
        if done.status == 200:
            self._note(verdict.username, done, incoming.source, now)
            self.sharing.followed(verdict.username, done)
        return Answer(done.status, done.headers, kept=True)

    def identify(self, incoming: Incoming, now: float) -> Decision:
        """INVITE: whoever says that they are of our domain has to prove who they are."""
        sender = incoming.request.headers.get("From") or ""
        if not self.registers or _host(sender) != self._config.domain.lower():
            return Welcome()
        verdict = self._prove(incoming, now)
        if isinstance(verdict, Unproven):
            return Answer(verdict.status, verdict.headers, is_final=verdict.failed)
        return Welcome(verdict.username) if verdict.username == _user(sender) else _FORBIDDEN

    def _prove(self, incoming: Incoming, now: float) -> Proven | Unproven:
        if self.ignores(incoming, now) > 0:
            return self._digest.ask(incoming.request, self.sender(incoming), now)
        verdict = self._digest.check(incoming.request, self.sender(incoming), now)
        self.on_trial(verdict.trial if isinstance(verdict, Unproven) else Trial.RIGHT, incoming, now)
        return verdict

    def _note(self, name: str, done: Registered, source: Address, now: float) -> None:
        if done.after != done.before:
            self.on_registered(name, source)
            self._tell(name, now)

    # ---------------------------------------------------------------- where they are

    def is_ours(self, uri: str) -> str | None:
        """The name of the phone that ``uri`` calls, also of one that nobody knows; None for any other place."""
        if not self.registers:
            return None
        try:
            parsed = SipUri.parse(uri)
        except RemoteProtocolError:
            return None
        if parsed.host.lower() != self._config.domain.lower() or parsed.port is not None:
            return None
        return from_wire(unescape(parsed.user or ""))

    def ring_order(self, name: str, now: float) -> list[list[Binding]]:
        """The devices of a phone: those that ring together, and those that ring after them."""
        groups: dict[int, list[Binding]] = {}
        for one in self.registrar.bindings(name, now):
            groups.setdefault(one.q, []).append(one)
        return list(groups.values())

    def restore(self, name: str, bindings: tuple[Binding, ...], now: float) -> None:
        """What was bound before a restart."""
        self.adopt(name, bindings, now)
        self.sharing.reset((name,))

    def adopt(self, name: str, bindings: tuple[Binding, ...], now: float) -> None:
        """What all nodes know to be bound."""
        self.registrar.restore(name, bindings)
        self._tell(name, now)

    def expire(self, now: float) -> list[tuple[str, tuple[Binding, ...]]]:
        """Forget bindings whose time is over."""
        lost = self.registrar.expire(now)
        for name, _ in lost:
            self._tell(name, now)
        return lost

    def drop(self, name: str, binding: Binding, now: float) -> bool:
        """A device does not answer any more."""
        dropped = self.registrar.drop(name, binding)
        if dropped:
            self._tell(name, now)
            self.sharing.dropped(name, binding)
        return dropped

    # ---------------------------------------------------------------- presence

    def call_began(self, name: str, now: float) -> None:
        """A call with this phone is up."""
        self._calls[name] += 1
        self._tell(name, now)

    def call_ended(self, name: str, now: float) -> None:
        """That call is over."""
        self._calls[name] -= 1
        if self._calls[name] <= 0:
            del self._calls[name]
        self._tell(name, now)

    def state(self, name: str, now: float) -> PhoneState:
        """One phone now."""
        account = self._accounts.get(name) or PhoneAccount(name)
        bound = self.registrar.bindings(name, now)
        devices = tuple(one.user_agent or str(one.source) for one in bound)
        return PhoneState(name, account.display_name, account.user, bool(bound), self._calls.get(name, 0), devices)

    def snapshot(self, now: float) -> tuple[PhoneState, ...]:
        """All phones now, by name."""
        return tuple(self.state(name, now) for name in sorted(self._accounts))

    def _tell(self, name: str, now: float) -> None:
        state = self.state(name, now)
        if self._told.get(name) != state:
            if name in self._accounts:
                self._told[name] = state
            else:
                self._told.pop(name, None)
            for listener in self.listeners:
                listener(state)


def _proxy(path: tuple[str, ...]) -> Address | None:
    """Where the balancer listens. A Path that is none is refused in a moment."""
    try:
        return proxy_of(path)
    except RemoteProtocolError:
        return None


def _user(name_addr: str) -> str:
    """The user part of a From or To that has been parsed before, escapes resolved."""
    uri = NameAddr.parse(name_addr).uri
    if uri_scheme(uri) not in ("sip", "sips"):
        return ""
    return from_wire(unescape(SipUri.parse(uri).user or ""))


def _host(name_addr: str) -> str:
    uri = NameAddr.parse(name_addr).uri
    return SipUri.parse(uri).host.lower() if uri_scheme(uri) in ("sip", "sips") else ""
