"""The resolver against a name server on loopback."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.dns_stub import DnsStub
from tests.unit.gateway.nodes import run
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.metrics import Counters
from voicegw.gateway.hosts_file import HostsFile, parse_hosts
from voicegw.gateway.locating_config import LocatingConfig, parse_dns_server
from voicegw.gateway.resolver import Resolver
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.sip.address import Address, Transport
from voicegw.sip.locating import Abilities, RecordKind
from voicegw.sip.uri import SipUri
from voicegw.testing.manual_clock import ManualClock

ZONE = {
    ("carrier.test", "NAPTR"): ['10 10 "s" "SIP+D2U" "" _sip._udp.carrier.test.'],
    ("_sip._udp.carrier.test", "SRV"): ["1 1 5070 a.carrier.test.", "2 1 5080 b.carrier.test."],
    ("a.carrier.test", "A"): ["127.0.0.2", "127.0.0.3"],
    ("b.carrier.test", "A"): ["127.0.0.4"],
    ("b.carrier.test", "AAAA"): ["::1"],
    ("alias.test", "CNAME"): ["a.carrier.test."],
}
BOTH = Abilities((Transport.UDP, Transport.TCP), (RecordKind.A, RecordKind.AAAA))


class Rig:
    """A resolver that asks one stub."""

    def __init__(self, stub: DnsStub, hosts: Path | None = None, **settings: float) -> None:
        self.clock = ManualClock()
        self.counters = Counters()
        config = LocatingConfig(dns_servers=(stub.address,), **settings)  # type: ignore[arg-type]
        self.resolver = Resolver(
            config,
            lambda: BOTH,
            random=random.Random(3).randbytes,
            clock=self.clock,
            counters=self.counters,
            hosts=HostsFile(hosts or Path("/nonexistent")),
        )

    async def locate(self, uri: str) -> list[Address]:
        return [address._replace(name="") for address in await self.resolver.locate(SipUri.parse(uri))]


def test_a_carrier_is_found_by_its_name() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub)
            found = await rig.locate("sip:+4930123@carrier.test")
            assert {str(address) for address in found[:2]} == {"127.0.0.2:5070", "127.0.0.3:5070"}
            assert [str(address) for address in found[2:]] == ["127.0.0.4:5080", "[::1]:5080"]
            questions = len(stub.questions)
            assert await rig.locate("sip:carrier.test") == found
            assert len(stub.questions) == questions, "everything is known"

    run(scenario())


def test_answers_live_as_long_as_the_zone_says() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE, ttl=30) as stub:
            rig = Rig(stub)
            await rig.locate("sip:b.carrier.test:5060")
            rig.clock.advance(29)
            await rig.locate("sip:b.carrier.test:5060")
            assert stub.asked("b.carrier.test", "A") == 1
            rig.clock.advance(2)
            await rig.locate("sip:b.carrier.test:5060")
            assert stub.asked("b.carrier.test", "A") == 2

    run(scenario())


def test_aliases_are_followed() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            found = await Rig(stub).locate("sip:alias.test:5060")
            assert sorted(found) == [Address("127.0.0.2", 5060), Address("127.0.0.3", 5060)]

    run(scenario())


def test_many_who_ask_the_same_ask_once() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub)
            await asyncio.gather(*(rig.locate("sip:b.carrier.test:5060") for _ in range(50)))
            assert stub.asked("b.carrier.test", "A") == 1

    run(scenario())


def test_who_stops_waiting_does_not_stop_the_others() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub)
            first = asyncio.create_task(rig.locate("sip:b.carrier.test:5060"))
            second = asyncio.create_task(rig.locate("sip:b.carrier.test:5060"))
            await asyncio.sleep(0)
            first.cancel()
            assert await second

    run(scenario())


def test_a_name_that_is_not_there() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE, ttl=30) as stub:
            rig = Rig(stub)
            for _ in range(2):
                with pytest.raises(LocalError, match=r"nowhere\.test cannot be found"):
                    await rig.locate("sip:nowhere.test")
            assert stub.asked("nowhere.test", "A") == 1, "that it is not there is known, too"
            assert rig.counters.get(LocatingCounter.DNS_FAILURES) == 0

    run(scenario())


def test_what_was_known_is_used_while_no_server_answers() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE, ttl=30) as stub:
            rig = Rig(stub, dns_timeout_s=0.2)
            before = await rig.locate("sip:b.carrier.test:5060")
            stub.broken = True
            rig.clock.advance(3600)
            assert await rig.locate("sip:b.carrier.test:5060") == before
            assert rig.counters.get(LocatingCounter.DNS_STALE) == 2
            asked = len(stub.questions)
            assert await rig.locate("sip:b.carrier.test:5060") == before
            assert len(stub.questions) == asked, "a failed server has a moment's peace"
            rig.clock.advance(90_000)
            with pytest.raises(LocalError):
                await rig.locate("sip:b.carrier.test:5060")

    run(scenario())


def test_a_silent_server_costs_a_bounded_time() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub, dns_timeout_s=0.2)
            stub.silent = True
            started = asyncio.get_running_loop().time()
            with pytest.raises(LocalError):
                await rig.locate("sip:carrier.test")
            assert asyncio.get_running_loop().time() - started < 3
            rig.resolver.close()

    run(scenario())


def test_the_cache_is_bounded() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub, dns_cache_entries=16)
            for number in range(40):
                with pytest.raises(LocalError):
                    await rig.locate(f"sip:n{number}.test:5060")
            assert len(rig.resolver._cache) == 16

    run(scenario())


def test_what_is_no_name_is_found_nowhere() -> None:
    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub)
            for host in ("a" * 64 + ".test", "a..test", ".".join(["abcdefgh"] * 40)):
                with pytest.raises(LocalError):
                    await rig.resolver.locate(SipUri(host, port=5060))
            assert stub.questions == []

    run(scenario())


def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.9 pbx Pbx.Local # the old one\n::1 pbx\nnonsense x\n\n")

    async def scenario() -> None:
        with DnsStub(ZONE) as stub:
            rig = Rig(stub, hosts)
            assert await rig.locate("sip:pbx") == [Address("127.0.0.9", 5060), Address("::1", 5060)]
            assert await rig.locate("sip:pbx.local") == [Address("127.0.0.9", 5060)]
            assert await rig.locate("sip:localhost") == [Address("127.0.0.1", 5060), Address("::1", 5060)]
            hosts.write_text("127.0.0.10 pbx and others\n")
            assert await rig.locate("sip:pbx") == [Address("127.0.0.10", 5060)]
            assert stub.questions == []

    run(scenario())


def test_other_name_servers_of_the_machine_are_noticed(tmp_path: Path) -> None:
    settings = tmp_path / "resolv.conf"

    async def scenario() -> None:
        resolver = Resolver(
            LocatingConfig(),
            lambda: BOTH,
            random=random.Random(3).randbytes,
            clock=ManualClock(),
            counters=Counters(),
            hosts=HostsFile(Path("/nonexistent")),
            settings=settings,
        )
        for moment, server in enumerate(("192.0.2.53", "192.0.2.54")):
            settings.write_text(f"nameserver {server}\noptions timeout:1\n")
            os.utime(settings, (moment, moment))
            assert [str(one) for one in resolver._current_stub().nameservers] == [server]
        settings.unlink()
        with pytest.raises(LocalError):
            await resolver.locate(SipUri.parse("sip:gone.test:5060"))

    run(scenario())


def test_the_form_of_a_hosts_file() -> None:
    assert parse_hosts("127.0.0.1\tlocalhost a\n127.0.0.1 a\n1.2.3 x\n#\n") == {
        "localhost": ("127.0.0.1",),
        "a": ("127.0.0.1",),
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_name_servers_are_addresses(text: str, place: tuple[str, int]) -> None:
    assert parse_dns_server(text) == place


@pytest.mark.parametrize("text", ["ns.example.com", "", "192.0.2.1:0", "192.0.2.1:99999", "http://1.2.3.4"])
def test_other_name_servers_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        LocatingConfig(dns_servers=(text,))


def test_limits_are_checked() -> None:
    for name in ("dns_timeout_s", "attempt_s", "blacklist_s", "max_attempts", "dns_cache_entries"):
        with pytest.raises(ConfigError, match=name):
            LocatingConfig(**{name: 0})
