"""From a SIP URI to addresses (RFC 3263), with a DNS that is a dictionary."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from voicegw.base.errors import LocalError
from voicegw.sip.address import Address, Transport, is_literal
from voicegw.sip.locating import (
    MAX_TARGETS,
    Abilities,
    Naptr,
    Question,
    Record,
    RecordKind,
    Srv,
    by_weight,
    locate,
)
from voicegw.sip.uri import SipUri

ALL = Abilities((Transport.UDP, Transport.TCP, Transport.TLS), (RecordKind.AAAA, RecordKind.A))
UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
Zone = dict[tuple[str, str], tuple[Record, ...]]

EXAMPLE: Zone = {
    ("example.com", "NAPTR"): (
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(10, 1, "u", "E2U+sip", "nothing.example.com"),
    ),
    ("_sips._tcp.example.com", "SRV"): (Srv(1, 1, 5061, "tls.example.com"),),
    ("_sip._tcp.example.com", "SRV"): (Srv(1, 1, 5060, "tcp.example.com"), Srv(2, 1, 5070, "tcp2.example.com")),
    ("_sip._udp.example.com", "SRV"): (Srv(2, 1, 5062, "b.example.com"), Srv(1, 1, 5060, "a.example.com.")),
    ("example.com", "A"): ("192.0.2.9",),
    ("tls.example.com", "A"): ("192.0.2.1",),
    ("tcp.example.com", "A"): ("192.0.2.2", "192.0.2.3"),
    ("tcp2.example.com", "A"): ("192.0.2.4",),
    ("a.example.com", "A"): ("192.0.2.5",),
    ("a.example.com", "AAAA"): ("2001:db8::5",),
    ("b.example.com", "A"): ("192.0.2.6",),
}


def found(uri: str, zone: Zone, abilities: Abilities = ALL) -> tuple[list[Address], list[Question]]:
    """The addresses for a URI, and all that was asked on the way."""
    asked: list[Question] = []
    search = locate(SipUri.parse(uri), abilities, random.Random(1).randbytes)
    try:
        questions = next(search)
        while True:
            asked += questions
            questions = search.send(
                {q: zone[q.name, q.kind.value] for q in questions if (q.name, q.kind.value) in zone}
            )
    except StopIteration as end:
        addresses: tuple[Address, ...] = end.value
    host = SipUri.parse(uri).host.lower()
    assert all(address.name == ("" if is_literal(host.strip("[]")) else host) for address in addresses)
    return [address._replace(name="") for address in addresses], asked


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:192.0.2.7", Address("192.0.2.7", 5060, UDP)),
        ("sip:192.0.2.7:5070", Address("192.0.2.7", 5070, UDP)),
        ("sip:u@[2001:db8::1]", Address("2001:db8::1", 5060, UDP)),
        ("sips:192.0.2.7", Address("192.0.2.7", 5061, TLS)),
        ("sip:192.0.2.7;transport=tcp", Address("192.0.2.7", 5060, TCP)),
        ("sip:192.0.2.7;transport=TLS", Address("192.0.2.7", 5061, TLS)),
        ("sips:192.0.2.7:5080;transport=tcp", Address("192.0.2.7", 5080, TLS)),
        ("sip:192.0.2.7;maddr=203.0.113.1", Address("192.0.2.7", 5060, UDP)),
    ],
)
def test_a_literal_address_asks_nobody(uri: str, address: Address) -> None:
    assert found(uri, {}) == ([address], [])


def test_a_port_leaves_only_the_address_to_be_asked() -> None:
    addresses, asked = found("sip:a.example.com:5099", EXAMPLE)
    assert addresses == [Address("2001:db8::5", 5099), Address("192.0.2.5", 5099)]
    assert asked == [Question("a.example.com", RecordKind.AAAA), Question("a.example.com", RecordKind.A)]
    assert found("sips:b.example.com:5099", EXAMPLE)[0] == [Address("192.0.2.6", 5099, TLS)]


def test_the_domain_says_which_transport_it_likes() -> None:
    assert found("sip:Example.COM", EXAMPLE)[0] == [Address("192.0.2.1", 5061, TLS)]
    plain = Abilities((UDP, TCP))
    tcp = [Address("192.0.2.2", 5060, TCP), Address("192.0.2.3", 5060, TCP), Address("192.0.2.4", 5070, TCP)]
    assert found("sip:example.com", EXAMPLE, plain)[0] == tcp
    assert found("sip:example.com", EXAMPLE, Abilities())[0] == [
        Address("192.0.2.5", 5060),
        Address("192.0.2.6", 5062),
    ]


def test_services_of_one_order_are_all_tried() -> None:
    zone = EXAMPLE | {
        ("example.com", "NAPTR"): (
            Naptr(10, 20, "S", "sip+d2u", "_sip._udp.example.com"),
            Naptr(10, 10, "s", "SIP+D2T", "_sip._tcp.example.com"),
            Naptr(20, 10, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        )
    }
    addresses, _ = found("sip:example.com", zone, Abilities((UDP, TCP, TLS)))
    assert [(a.transport, a.host[-1]) for a in addresses] == [
        (TCP, "2"),
        (TCP, "3"),
        (TCP, "4"),
        (UDP, "5"),
        (UDP, "6"),
    ]


def test_sips_gets_nothing_but_tls() -> None:
    assert found("sips:example.com", EXAMPLE)[0] == [Address("192.0.2.1", 5061, TLS)]
    zone = {("plain.com", "NAPTR"): (Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.plain.com"),)}
    with pytest.raises(LocalError):
        found("sips:plain.com", zone)


def test_a_domain_whose_transports_we_lack_cannot_be_reached() -> None:
    zone: Zone = {("sctp.com", "NAPTR"): (Naptr(1, 1, "s", "SIPS+D2T", "_sips._tcp.sctp.com"),)}
    with pytest.raises(LocalError):
        found("sip:sctp.com", zone, Abilities((UDP,)))


def test_without_naptr_every_transport_of_ours_is_asked_for() -> None:
    zone = {key: value for key, value in EXAMPLE.items() if key[1] != "NAPTR"}
    addresses, asked = found("sip:example.com", zone)
    assert [(a.transport, a.port) for a in addresses] == [
        (UDP, 5060),
        (UDP, 5060),
        (UDP, 5062),
        (TCP, 5060),
        (TCP, 5060),
        (TCP, 5070),
    ]
    assert Question("_sips._tcp.example.com", RecordKind.SRV) not in asked
    assert found("sips:example.com", zone)[0] == [Address("192.0.2.1", 5061, TLS)]


def test_a_transport_in_the_uri_skips_naptr() -> None:
    addresses, asked = found("sip:example.com;transport=tcp", EXAMPLE)
    assert [a.transport for a in addresses] == [TCP, TCP, TCP]
    assert asked[0] == Question("_sip._tcp.example.com", RecordKind.SRV)
    assert found("sip:example.com;transport=tls", EXAMPLE)[0] == [Address("192.0.2.1", 5061, TLS)]
    assert found("sips:example.com;transport=tcp", EXAMPLE)[0] == [Address("192.0.2.1", 5061, TLS)]


def test_without_any_service_the_name_itself_is_asked_for() -> None:
    zone: Zone = {("alone.com", "A"): ("192.0.2.8",)}
    assert found("sip:alone.com", zone)[0] == [Address("192.0.2.8", 5060)]
    assert found("sips:alone.com", zone)[0] == [Address("192.0.2.8", 5061, TLS)]
    assert found("sip:alone.com;transport=tcp", zone)[0] == [Address("192.0.2.8", 5060, TCP)]
    assert found("sip:nowhere.com", zone)[0] == []


def test_a_service_that_is_decidedly_not_there() -> None:
    zone: Zone = {("_sip._udp.off.com", "SRV"): (Srv(0, 0, 0, "."),), ("off.com", "A"): ("192.0.2.8",)}
    assert found("sip:off.com;transport=udp", zone)[0] == []


def test_a_server_may_be_named_by_its_address() -> None:
    zone: Zone = {("_sip._udp.odd.com", "SRV"): (Srv(0, 0, 5060, "192.0.2.44"), Srv(1, 0, 5060, "bad..name"))}
    assert found("sip:odd.com;transport=udp", zone)[0] == [Address("192.0.2.44", 5060)]


@pytest.mark.parametrize(
    "uri", ["sip:h;transport=sctp", "sips:h;transport=udp", "sip:h;transport=ws", "sip:h;transport=x"]
)
def test_a_transport_that_we_lack_is_refused(uri: str) -> None:
    with pytest.raises(LocalError):
        found(uri, EXAMPLE)


def test_sips_without_tls_is_refused() -> None:
    for uri in ("sips:192.0.2.1", "sips:example.com:5061", "sips:alone.com"):
        with pytest.raises(LocalError):
            found(uri, EXAMPLE, Abilities((UDP,)))


def test_families_come_in_our_order() -> None:
    six_first = found("sip:a.example.com:5060", EXAMPLE)[0]
    four_first = found("sip:a.example.com:5060", EXAMPLE, Abilities((UDP,), (RecordKind.A, RecordKind.AAAA)))[0]
    assert six_first == four_first[::-1]
    only_four = found("sip:a.example.com:5060", EXAMPLE, Abilities())
    assert only_four == ([Address("192.0.2.5", 5060)], [Question("a.example.com", RecordKind.A)])


def test_a_zone_with_thousands_is_cut() -> None:
    many = tuple(f"192.0.2.{n}" for n in range(1, 200))
    zone: Zone = {("_sip._udp.big.com", "SRV"): tuple(Srv(n, 0, 5060, f"s{n}.big.com") for n in range(100))}
    zone |= {(f"s{n}.big.com", "A"): many for n in range(100)}
    addresses, asked = found("sip:big.com;transport=udp", zone)
    assert len(addresses) == MAX_TARGETS
    assert len(asked) < 40


def test_weights_decide_by_chance() -> None:
    draw = random.Random(7).randbytes
    records = [
        Srv(1, 60, 1, "a"),
        Srv(1, 30, 1, "b"),
        Srv(1, 10, 1, "c"),
        Srv(0, 0, 1, "first"),
        Srv(2, 9, 1, "last"),
    ]
    orders = [[record.target for record in by_weight(records, draw)] for _ in range(4000)]
    assert all(order[0] == "first" and order[-1] == "last" and len(order) == 5 for order in orders)
    share = {name: count / 4000 for name, count in Counter(order[1] for order in orders).items()}
    assert share == pytest.approx({"a": 0.6, "b": 0.3, "c": 0.1}, abs=0.03)
    after_a = Counter(order[2] for order in orders if order[1] == "a")
    assert after_a["b"] / after_a.total() == pytest.approx(0.75, abs=0.04)


def test_a_record_without_weight_has_a_small_chance() -> None:
    draw = random.Random(7).randbytes
    firsts = Counter(by_weight([Srv(1, 0, 1, "spare"), Srv(1, 9, 1, "main")], draw)[0].target for _ in range(2000))
    assert 0.05 < firsts["spare"] / 2000 < 0.15
