"""Where a request goes: from a SIP URI to addresses, in the order in which to try them (RFC 3263, RFC 7984).

:func:`locate` is a conversation: it yields the questions that it has for the DNS, is sent the answers, and returns
the targets. Nothing here asks anybody anything; who does is :mod:`voicegw.gateway.resolver`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes
from voicegw.sip.address import Address, Transport, is_literal, unbracketed
from voicegw.sip.uri import SipUri

MAX_SERVICES: Final = 8
"""NAPTR and SRV names that are followed for one URI."""
MAX_SERVERS: Final = 16
"""SRV records that are followed for one URI."""
MAX_TARGETS: Final = 32
"""Addresses for one URI: a zone with thousands must not cost us thousands of attempts."""


class RecordKind(Enum):
    """What is asked for."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


class Question(NamedTuple):
    """One question for the DNS. ``name`` is lower case, without the dot at its end."""

    name: str
    kind: RecordKind


class Naptr(NamedTuple):
    """A record that names a service (RFC 3403 §4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """A record that names a server (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record: TypeAlias = Naptr | Srv | str
"""An address record is its address as text."""
Answers: TypeAlias = Mapping[Question, tuple[Record, ...]]
"""What the DNS said; a question that is missing, or has no records, found nothing."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this node has: transports, the one it likes best first, and families of addresses likewise."""

    transports: tuple[Transport, ...] = (Transport.UDP,)
    families: tuple[RecordKind, ...] = (RecordKind.A,)
    """A, AAAA or both: the policy that RFC 7984 §4.2 leaves to RFC 6724. A family without a socket is not asked."""


class _Server(NamedTuple):
    """A host to look up, and where it listens."""

    host: str
    port: int
    transport: Transport


Search: TypeAlias = Generator[tuple[Question, ...], Answers, tuple[Address, ...]]
_Servers: TypeAlias = Generator[tuple[Question, ...], Answers, list[_Server]]

_SERVICES: Final = {
    "SIP+D2U": Transport.UDP,
    "SIP+D2T": Transport.TCP,
    "SIPS+D2T": Transport.TLS,
    "SIP+D2W": Transport.WS,
    "SIPS+D2W": Transport.WSS,
}
"""RFC 3263 §4.1, RFC 7118 §8.2."""
_LABELS: Final = {
    Transport.UDP: "_sip._udp",
    Transport.TCP: "_sip._tcp",
    Transport.TLS: "_sips._tcp",
    Transport.WS: "_sip._ws",
    Transport.WSS: "_sips._ws",
}


def locate(uri: SipUri, abilities: Abilities, random: RandomBytes) -> Search:
    """Find where a request for ``uri`` goes; ``uri`` is the first Route, else the Request-URI (RFC 3261 §8.1.2).

    Returns addresses in order of preference, none where the DNS has none. LocalError for a transport that this
    node does not have. ``maddr`` is ignored on purpose: a URI that passed an allow-list by its host must not lead
    anywhere else.
    """
    host = unbracketed(uri.host).lower().rstrip(".")
    transport = _said_transport(uri, abilities)
    if is_literal(host) or uri.port is not None:
        # Who says where gets no choice of how: UDP, or TLS for sips (§4.1).
        transport = transport or _default_transport(uri, abilities)
        servers = [_Server(host, uri.port or transport.default_port, transport)]
    else:
        servers = yield from _find_servers(host, uri, transport, abilities, random)
    return (yield from _find_addresses(servers, "" if is_literal(host) else host, abilities))


def _said_transport(uri: SipUri, abilities: Abilities) -> Transport | None:
    """The transport that the URI itself names; None where it leaves the choice. LocalError for one we lack."""
    said, secure = (uri.transport or "").upper(), uri.scheme == "sips"
    if not said:
        return None
    known = Transport.__members__.get(said)
    if known is Transport.TCP and secure:
        known = Transport.TLS
    elif known is Transport.WS and secure:
        known = Transport.WSS
    if known is None or known not in abilities.transports or (secure and not known.is_secure):
        raise LocalError(f"no way to send over {said.lower()} to {uri.scheme}:{uri.host}")
    return known


def _default_transport(uri: SipUri, abilities: Abilities) -> Transport:
    default = Transport.TLS if uri.scheme == "sips" else Transport.UDP
    if default not in abilities.transports:
        raise LocalError(f"no way to send over {default.value} to {uri.scheme}:{uri.host}")
    return default


def _find_servers(
    host: str, uri: SipUri, transport: Transport | None, abilities: Abilities, random: RandomBytes
) -> _Servers:
    """§4.1 and §4.2 for a name without a port: NAPTR, then SRV, else the name itself at the default port."""
    secure = uri.scheme == "sips"
    services: list[tuple[str, Transport]] = []
    if transport is None:
        question = Question(host, RecordKind.NAPTR)
        answers = yield (question,)
        found = [record for record in answers.get(question, ()) if isinstance(record, Naptr)]
        services = list(_services(found, abilities, secure=secure))
        if not services and any(_is_sip(record) for record in found):
            raise LocalError(f"{host} takes no transport that this node has")
    if not services:
        choices = (transport,) if transport is not None else _choices(abilities, secure=secure)
        services = [(f"{_LABELS[one]}.{host}", one) for one in choices]
    servers = yield from _ask_services(services[:MAX_SERVICES], random)
    if servers is not None:
        return servers[:MAX_SERVERS]
    last = transport or _default_transport(uri, abilities)
    return [_Server(host, last.default_port, last)]


def _choices(abilities: Abilities, *, secure: bool) -> tuple[Transport, ...]:
    """What is asked for where the domain does not say what it likes. A browser's transports are never guessed."""
    return tuple(t for t in abilities.transports if not t.is_web and t.is_secure == secure)


def _is_sip(record: Naptr) -> bool:
    return record.flags.lower() == "s" and record.service.upper() in _SERVICES


def _services(records: Iterable[Naptr], abilities: Abilities, *, secure: bool) -> Iterator[tuple[str, Transport]]:
    """The SRV names to ask for: the lowest order that has one for us, by preference (RFC 3403 §4.1).

    Whoever called ``sips:`` gets nothing but TLS (RFC 3263 §4.1); others may get it, too.
    """
    sip = sorted(filter(_is_sip, records), key=lambda record: (record.order, record.preference))
    for _, group in groupby(sip, key=lambda record: record.order):
        named = [(record.replacement.lower().rstrip("."), _SERVICES[record.service.upper()]) for record in group]
        usable = [
            (name, t) for name, t in named if name and t in abilities.transports and (t.is_secure or not secure)
        ]
        if usable:
            yield from usable
            return


def _ask_services(
    services: list[tuple[str, Transport]], random: RandomBytes
) -> Generator[tuple[Question, ...], Answers, list[_Server] | None]:
    """The servers behind SRV names, in order; None where there is no such record at all (§4.2).

    A single record with the target ``.`` says that the service is decidedly not there (RFC 2782).
    """
    questions = {name: Question(name, RecordKind.SRV) for name, _ in services}
    answers = yield tuple(questions.values())
    servers: list[_Server] = []
    any_record = False
    for name, transport in services:
        records = [record for record in answers.get(questions[name], ()) if isinstance(record, Srv)]
        any_record = any_record or bool(records)
        usable = [record for record in records if record.target.strip(".") and 1 <= record.port <= 65535]
        for record in by_weight(usable, random):
            servers.append(_Server(record.target.lower().rstrip("."), record.port, transport))
    return servers if any_record else None


def by_weight(records: Iterable[Srv], random: RandomBytes) -> list[Srv]:
    """The order in which to try servers: by priority, and within one by chance as their weights say (RFC 2782).

    Records without a weight stand first in the draw, so that they have a small chance beside weighted ones.
    """
    ordered: list[Srv] = []
    for _, group in groupby(sorted(records, key=lambda record: record.priority), key=lambda one: one.priority):
        left = sorted(group, key=lambda record: record.weight > 0)
        while left:
            drawn = _below(random, sum(record.weight for record in left) + 1)
            for record in left:
                drawn -= record.weight
                if drawn <= 0:
                    left.remove(record)
                    ordered.append(record)
                    break
    return ordered


def _below(random: RandomBytes, bound: int) -> int:
    """A number from 0 to ``bound`` - 1; 16 records of 65,535 each leave a bias of less than one in a thousand."""
    return int.from_bytes(random(4), "big") % bound


def _find_addresses(servers: list[_Server], name: str, abilities: Abilities) -> Search:
    """Addresses for every server, server by server, each in our order of families (RFC 7984 §4).

    They bear the host name of the URI, which a certificate has to show: what the DNS made of it is anybody's word.
    """
    hosts = dict.fromkeys(server.host for server in servers if not is_literal(server.host))
    questions = tuple(Question(host, family) for host in hosts for family in abilities.families)
    answers = (yield questions) if questions else {}
    targets: dict[Address, None] = {}
    for server in servers:
        found = [server.host] if is_literal(server.host) else _addresses(server.host, answers, abilities)
        for host in found:
            targets[Address(host, server.port, server.transport, name=name)] = None
    return tuple(targets)[:MAX_TARGETS]


def _addresses(host: str, answers: Answers, abilities: Abilities) -> list[str]:
    records = (answers.get(Question(host, family), ()) for family in abilities.families)
    return [one for group in records for one in group if isinstance(one, str) and is_literal(one)]
