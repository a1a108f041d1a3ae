"""Whatever a zone says: the search ends, asks little, and leads only where a request may go."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import LocalError
from voicegw.sip.address import Address, Transport, is_sendable
from voicegw.sip.failover import MAX_LISTED, Blacklist
from voicegw.sip.locating import (
    MAX_SERVERS,
    MAX_SERVICES,
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

HOSTS = ("a.test", "b.test", "c.test")
NAMES = (*HOSTS, "_sip._udp.a.test", "_sip._tcp.a.test", "_sips._tcp.a.test", "other.test", "", ".")
small = st.integers(0, 65_535)
naptrs = st.builds(
    Naptr,
    small,
    small,
    st.sampled_from(["s", "S", "u", "a", ""]),
    st.sampled_from(["SIP+D2U", "SIPS+D2T", "sip+d2t", "SIP+D2S", "E2U+sip", "SIP+D2W"]),
    st.sampled_from(NAMES),
)
srvs = st.builds(
    Srv, st.integers(0, 3), small, st.sampled_from([0, 1, 5060, 65_535, 70_000]), st.sampled_from(NAMES)
)
addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "no address", "192.0.2.999", "fe80::1%eth0"])
answers: st.SearchStrategy[tuple[Record, ...]] = st.one_of(
    st.lists(naptrs, max_size=6).map(tuple),
    st.lists(srvs, max_size=40).map(tuple),
    st.lists(addresses, max_size=6).map(tuple),
)
transports = st.lists(st.sampled_from(list(Transport)), min_size=1, unique=True).map(tuple)
families = st.lists(st.sampled_from([RecordKind.A, RecordKind.AAAA]), min_size=1, unique=True).map(tuple)
uris = st.builds(
    lambda scheme, host, port, transport: SipUri.parse(
        f"{scheme}:{host}{port}{';transport=' + transport if transport else ''}"
    ),
    st.sampled_from(["sip", "sips"]),
    st.sampled_from([*HOSTS, "192.0.2.9", "[2001:db8::9]"]),
    st.sampled_from(["", ":5070"]),
    st.sampled_from(["", "udp", "tcp", "tls", "ws", "sctp"]),
)


@settings(max_examples=300, deadline=None)
@given(uris, st.builds(Abilities, transports, families), st.data())
def test_a_search_ends_where_a_request_may_go(uri: SipUri, abilities: Abilities, data: st.DataObject) -> None:
    asked: list[Question] = []
    search = locate(uri, abilities, random.Random(1).randbytes)
    try:
        questions = next(search)
        for _ in range(4):
            asked += questions
            questions = search.send({question: data.draw(answers) for question in questions})
        raise AssertionError("it asks and asks")
    except LocalError:
        return
    except StopIteration as end:
        found: tuple[Address, ...] = end.value
    assert len(asked) <= 1 + MAX_SERVICES + 2 * MAX_SERVERS
    assert len(found) <= MAX_TARGETS and len(set(found)) == len(found)
    for address in found:
        assert is_sendable(address)
        assert address.transport in abilities.transports
        assert address.transport.is_secure or uri.scheme != "sips"
        assert address.name in ("", uri.host)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.builds(Srv, st.integers(0, 3), small, st.just(5060), st.sampled_from(HOSTS)), max_size=20),
    st.integers(),
)
def test_a_draw_leaves_nobody_out_and_keeps_priorities(records: list[Srv], seed: int) -> None:
    ordered = by_weight(records, random.Random(seed).randbytes)
    assert sorted(ordered) == sorted(records)
    assert [record.priority for record in ordered] == sorted(record.priority for record in records)


steps = st.lists(
    st.tuples(st.sampled_from(["fail", "answer", "probe"]), st.integers(1, 5), st.floats(0, 400)), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_a_blacklist_never_leaves_a_call_without_a_server(history: list[tuple[str, int, float]]) -> None:
    servers = [Address("192.0.2.1", port) for port in range(1, 6)]
    blacklist, now, failed = Blacklist(300), 0.0, set[Address]()
    for what, port, wait in history:
        now += wait
        server = Address("192.0.2.1", port)
        if what == "fail":
            blacklist.add(server, now)
            failed.add(server)
        elif what == "answer":
            blacklist.remove(server)
            failed.discard(server)
        else:
            assert set(blacklist.take_probes(now)) <= failed
        order = blacklist.order(servers)
        assert order and set(order) <= set(servers)
        assert not any(one in blacklist for one in order) or len(order) == len(servers)
        assert set(blacklist.listed()) <= failed and len(blacklist) <= MAX_LISTED
