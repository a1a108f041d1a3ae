"""All trunks of a node: whose call an INVITE is, and which trunk carries a call of ours. Pure.

No trunk carries a number that its settings do not name. That is the one place where it is decided which numbers may
be called at all: agents, transfers, the API and peers that send callers elsewhere all come through here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.gateway.tolls.calls import Barred
from voicegw.gateway.tolls.places import with_country_code
from voicegw.gateway.trunk_config import Network, Trunk
from voicegw.gateway.trunk_numbers import longest_match, to_inside, to_trunk
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import plain_host
from voicegw.sip.dialling import TRUNK_GROUP
from voicegw.sip.grammar import from_wire, unescape
from voicegw.sip.uri import SipUri, TelUri, escape_user, parse_uri


class RouteRefused(LocalError):
    """A call may not come or go; ``cause`` says why, and ``barred`` which toll rule, where it is one."""

    def __init__(self, cause: HangupCause, message: str, barred: Barred | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.barred = barred


@dataclass(frozen=True, slots=True)
class OutRoute:
    """How a call of ours goes. Without a trunk it goes to the host of ``target``, and with nobody's credentials."""

    trunk: Trunk | None
    target: str
    way: Way = DIRECT
    number: str = ""
    """Of a trunk: whom it calls, in E.164 where the country is known."""


class TrunkTable:
    """Immutable; a reload makes another one. ``learned``: addresses that names of trunks were found to have."""

    def __init__(self, trunks: Iterable[Trunk] = (), learned: Collection[tuple[str, str]] = ()) -> None:
        self.trunks = tuple(trunk for trunk in trunks if trunk.enabled)
        self._networks = [(network, trunk) for trunk in self.trunks for network in trunk.networks]
        by_name = {trunk.name: trunk for trunk in self.trunks}
        self._learned = {(name, plain_host(host)) for name, host in learned}
        self._networks += [(ipaddress.ip_network(host), by_name[name]) for name, host in learned if name in by_name]
        self.of_host = lru_cache(maxsize=4096)(self._of_host)

    def find(self, name: str) -> Trunk | None:
        """The trunk of this name, unless it is switched off."""
        return next((trunk for trunk in self.trunks if trunk.name == name), None)

    # ---------------------------------------------------------------- calls in

    def of_call(self, host: str, called: str, names: Collection[str] = ()) -> Trunk | None:
        """Whose call it is: ``host`` is the source address, ``names`` those of a verified TLS certificate.

        Among trunks of the same address the one that has the called number counts, then one that names none.
        """
        folded = {name.lower() for name in names}
        by_name = (
            trunk for trunk in self.trunks if folded & {one.lower() for one in trunk.settings.tls.allowed_names}
        )
        candidates = tuple(by_name) or self.of_host(host)
        if len(candidates) <= 1:
            return candidates[0] if candidates else None

        def fit(trunk: Trunk) -> int:
            inside = to_inside(trunk.settings.numbering, called)
            best = max(longest_match(trunk.settings.numbers, one) for one in (called, inside))
            return best if trunk.settings.numbers else 0

        return max(candidates, key=fit)

    def _of_host(self, host: str) -> tuple[Trunk, ...]:
        """Trunks whose most exact network holds the address."""
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        found: list[tuple[Network, Trunk]] = [one for one in self._networks if address in one[0]]
        narrowest = max((network.prefixlen for network, _ in found), default=0)
        unique = {trunk.name: trunk for network, trunk in found if network.prefixlen == narrowest}
        return tuple(unique.values())

    # ---------------------------------------------------------------- calls out

    def routes(self, uri: str) -> tuple[OutRoute, ...]:
        """The ways of a call to ``uri``, the best first; never empty.

        A tel URI goes by the trunks that carry its number, a sip URI by the trunk whose host it names, else to that
        host directly. Raises RouteRefused where no trunk may carry it, RemoteProtocolError for what is no URI.
        """
        parsed = parse_uri(uri)
        if isinstance(parsed, TelUri):
            return self._of_number(parsed.digits, parsed.params.get(TRUNK_GROUP) or "")
        there = self._at_host(parsed.host)
        if not there:
            return (OutRoute(None, str(parsed)),)
        user = from_wire(unescape(parsed.user or "")).partition(";")[0]  # carriers route by some parameters
        allowed = [trunk for trunk in there if _carries(trunk, user) >= 0]
        if not allowed:
            raise RouteRefused(HangupCause.NOT_ALLOWED, f"trunk {there[0].name} does not carry {user!r}")
        return tuple(_at(trunk, user) for trunk in sorted(allowed, key=_priority))

    def trunk_at(self, host: str) -> Trunk | None:
        """The trunk that is reached at this name or address, whatever URI leads there."""
        return next(iter(self._at_host(host)), None)

    def _at_host(self, host: str) -> list[Trunk]:
        plain = plain_host(host)
        return [one for one in self.trunks if plain in _hosts(one) or (one.name, plain) in self._learned]

    def _of_number(self, number: str, name: str) -> tuple[OutRoute, ...]:
        if name and self.find(name) is None:
            raise RouteRefused(HangupCause.NOT_ALLOWED, f"there is no trunk called {name!r}")
        fits = [(_carries(trunk, number), trunk) for trunk in self.trunks if name in ("", trunk.name)]
        carrying = [(fit, trunk) for fit, trunk in fits if fit >= 0]
        if not carrying:
            raise RouteRefused(HangupCause.NOT_ALLOWED, f"no trunk carries calls to {number!r}")
        carrying.sort(key=lambda one: (-one[0], one[1].settings.priority, one[1].name))
        best = carrying[0][0]
        return tuple(_at(trunk, number) for fit, trunk in carrying if fit == best or name)


def _at(trunk: Trunk, number: str) -> OutRoute:
    settings = trunk.settings
    user = escape_user(to_trunk(settings.numbering, number))
    port = f":{settings.port}" if settings.port and not settings.outbound_proxies and not settings.domain else ""
    phone = ";user=phone" if settings.numbering.user_phone else ""
    target = f"sip:{user}@{trunk.domain}{port}{phone}{trunk.transport_parameter}"
    return OutRoute(trunk, target, trunk.way, to_inside(settings.numbering, number))


def _carries(trunk: Trunk, number: str) -> int:
    settings = trunk.settings
    forms = (number, to_inside(settings.numbering, number))
    spelled = (*forms, *(with_country_code(form) for form in forms))
    if any(longest_match(settings.refuses, form) >= 0 for form in spelled):
        return -1
    return max(longest_match(settings.carries, form) for form in forms)


def _hosts(trunk: Trunk) -> set[str]:
    proxies = [SipUri.parse(proxy).host for proxy in trunk.settings.outbound_proxies[:1]]
    return {plain_host(host) for host in (*trunk.settings.hosts, trunk.domain, *proxies)}


def _priority(trunk: Trunk) -> tuple[int, str]:
    return trunk.settings.priority, trunk.name
