"""A gateway gets another configuration while it runs: what is in force at once, and what goes on as it was."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.unit.gateway.nodes import Node, RawSocket, run, sdp, until
from tests.unit.gateway.stream_peer import StreamPeer, request
from tests.unit.gateway.test_leg_moves import uri
from tests.unit.gateway.test_phones import DOMAIN, close, entry, house, phone, register
from tests.unit.gateway.test_sip_leg import IP, OUT, connected
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.cluster.lines import SharedLines as ClusterLines
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.tasks import Tasks
from voicegw.config import LimitsConfig
from voicegw.gateway.config import SipConfig
from voicegw.gateway.connections import ConnectionLimits
from voicegw.gateway.events import LegEnded, LegInvited, LegReferAnswered, LegReferred, LegRefused
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.phone_config import PhoneEntry, PhonesConfig
from voicegw.gateway.shared_lines import SharedLines
from voicegw.ports.cluster import Owner
from voicegw.server import limit_gateway
from voicegw.sip.address import Address
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.sip.message import Headers, Request, Response, serialize

DENIED = "sip_guard_dropped_denied"
CONFIG = SipConfig(listen_ip=IP, listen_port=0, t1_ms=50)
LISTENERS = tuple(ListenerConfig(kind, 0, IP) for kind in ("udp", "tcp"))


def test_who_is_denied_now_gets_silence_and_loses_its_connection() -> None:
    async def story() -> None:
        config = SipConfig(listeners=LISTENERS)
        node, peer = Node(config=config), RawSocket()
        try:
            await peer.is_answered(node)
            with socket.create_connection((IP, node.wire.bound[1].port)) as stream:
                stream.setblocking(False)
                await until(lambda: len(node.wire.connections) == 1)
                denying = tuple(replace(one, deny=("127.0.0.0/8",)) for one in LISTENERS)
                node.gateway.use(replace(config, listeners=denying))
                await until(lambda: len(node.wire.connections) == 0)
            await peer.send(peer.request("OPTIONS"), node.address)
            await until(lambda: node.counters.get(DENIED) == 1)
            node.gateway.use(replace(config, listeners=(denying[0], LISTENERS[1])))
            with socket.create_connection((IP, node.wire.bound[1].port)):
                await until(lambda: len(node.wire.connections) == 1)
                node.gateway.use(replace(config, listeners=(LISTENERS[0], LISTENERS[1])))
                await peer.is_answered(node)
                assert len(node.wire.connections) == 1, "that listener denies nobody"
        finally:
            node.gateway.close()
            peer.close()

    run(story())


def test_strangers_are_welcome_refused_and_not_heard_by_turns() -> None:
    async def story() -> None:
        node, peer, asker = Node(config=CONFIG), RawSocket(), RawSocket()
        try:
            await peer.send(peer.request("INVITE", body=sdp(40_000)), node.address)
            await node.expect(LegInvited)
            node.gateway.use(replace(CONFIG, strangers="refuse"))
            await peer.send(peer.request("INVITE", body=sdp(40_000), call_id="Call-ID: second"), node.address)
            assert (await node.expect(LegRefused)).cause is HangupCause.UNKNOWN_SOURCE
            guarded = GuardConfig(trusted=())
            node.gateway.use(replace(CONFIG, strangers="silent", guard=guarded))
            await peer.send(peer.request("OPTIONS"), node.address)
            await until(lambda: node.counters.get("trunk_unknown_source") == 2)
            balanced = GuardConfig(trusted=(), balancers=("127.0.0.0/8",))
            for asked_by in (GuardConfig(), balanced):  # a health check of this machine, a balancer
                node.gateway.use(replace(CONFIG, strangers="silent", guard=asked_by))
                await asker.is_answered(node)
            refused = asker.request("INVITE", body=sdp(40_000), call_id="Call-ID: third")
            await asker.send(refused, node.address)
            assert (await node.expect(LegRefused)).cause is HangupCause.UNKNOWN_SOURCE
        finally:
            node.gateway.close()
            peer.close()
            asker.close()

    run(story())


def test_whom_peers_may_name_changes_for_a_running_call() -> None:
    async def story() -> None:
        pbx, desk = Node(), Node()
        node = Node(config=CONFIG)
        leg_id = await connected(pbx, node)
        pbx.gateway.refer(OUT, uri(desk))
        assert await node.expect(LegReferred) == LegReferred(leg_id, uri(desk), False)
        assert (await pbx.expect(LegReferAnswered)).status == 603
        node.gateway.use(replace(CONFIG, forward_to=(f"sip:*@{IP}:*",)))
        pbx.gateway.refer(OUT, uri(desk))
        assert await node.expect(LegReferred) == LegReferred(leg_id, uri(desk), True)
        assert (await pbx.expect(LegReferAnswered)).status == 202
        await desk.expect(LegInvited)
        for one in (pbx, node, desk):
            one.gateway.close()

    run(story())


async def first_answer(peer: RawSocket, node: Node, call_id: str) -> int:
    """Of one more INVITE to ``demo``."""
    invite = peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: {call_id}")
    await peer.send(invite, node.address)
    answer = await peer.receive()
    while answer.headers.get("Call-ID") != call_id:
        answer = await peer.receive()
    assert isinstance(answer, Response)
    return answer.status


@pytest.mark.parametrize(
    "tighter",
    [
        replace(CONFIG, max_setups=1),
        replace(CONFIG, max_calls=1),
        replace(CONFIG, max_transactions=2),
        replace(CONFIG, guard=GuardConfig(calls_per_source=1)),
        replace(CONFIG, guard=GuardConfig(trusted=(), calls_per_stranger=1)),
        replace(CONFIG, guard=GuardConfig(trusted=(), half_open=1)),
    ],
)
def test_other_limits_count_for_the_next_call(tighter: SipConfig) -> None:
    async def story() -> None:
        node, peer = Node(config=CONFIG), RawSocket()
        try:
            node.gateway.use(tighter)
            assert await first_answer(peer, node, "one") == 100
            assert await first_answer(peer, node, "two") == 503
            node.gateway.use(CONFIG)
            assert await first_answer(peer, node, "three") == 100
        finally:
            node.gateway.close()
            peer.close()

    run(story())


def test_connections_have_other_limits() -> None:
    async def story() -> None:
        config = SipConfig(listeners=LISTENERS)
        node = Node(config=config)
        place = (IP, node.wire.bound[1].port)
        try:
            with socket.create_connection(place) as first, socket.create_connection(place):
                await until(lambda: len(node.wire.connections) == 2)
                node.gateway.use(replace(config, connections=ConnectionLimits(per_address=1)))
                assert first.fileno() >= 0 and len(node.wire.connections) == 2, "those that are there stay"
                with socket.create_connection(place):
                    await until(lambda: node.counters.get("sip_connections_refused") == 1)
        finally:
            node.gateway.close()

    run(story())


def test_calls_to_one_number_get_a_limit_another_one_and_none() -> None:
    """A node on its own, which had no limit at its start."""

    async def story() -> None:
        node, peer = Node(config=CONFIG), RawSocket()
        pool = ClusterLines(MemoryShared(MemoryHouse(lambda: 0.0)), Owner("", ""), Counters(), Tasks())
        node.gateway.trunks.shared = SharedLines(pool, alone=True)
        calls = 0

        async def call() -> LegInvited | LegRefused:
            nonlocal calls
            calls += 1
            invite = peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: {calls}")
            await peer.send(invite, node.address)
            event = await node.events.get()
            assert isinstance(event, LegInvited | LegRefused), event
            return event

        try:
            assert isinstance(await call(), LegInvited)
            limit_gateway(node.gateway, LimitsConfig(max_calls_per_number=2))
            assert isinstance(await call(), LegInvited) and isinstance(await call(), LegInvited)
            refused = await call()
            assert isinstance(refused, LegRefused) and refused.cause is HangupCause.NUMBER_FULL
            limit_gateway(node.gateway, LimitsConfig(max_calls_per_number=3))
            assert isinstance(await call(), LegInvited), "those that had a limit are counted"
            assert isinstance(await call(), LegRefused)
            limit_gateway(node.gateway, LimitsConfig())
            assert isinstance(await call(), LegInvited)
        finally:
            node.gateway.close()
            peer.close()

    run(story())


def test_a_phone_comes_and_one_goes_with_its_account() -> None:
    async def story() -> None:
        server, anna, carl = house(), phone(), phone()
        assert (await register(anna, server, "anna")).status == 200
        assert (await register(carl, server, "carl")).status == 401
        server.gateway.use_phones(PhonesConfig(DOMAIN, accounts=(entry("carl"),), max_expires_s=120, expires_s=90))
        response = await register(carl, server, "carl")
        assert response.status == 200 and ";expires=120" in (response.headers.get("Contact") or "")
        with pytest.raises(LocalError):
            await server.gateway.media_route(f"sip:anna@{DOMAIN}")
        assert [one.name for one in server.gateway.phones.snapshot(0.0)] == ["carl"]
        close((server, anna, carl))

    run(story())


def test_the_registrar_opens_changes_its_realm_and_closes() -> None:
    def of_realm(realm: str) -> PhoneEntry:
        return PhoneEntry("anna", sha256=make_ha1(Algorithm.SHA_256, "anna", realm, "anna's secret"))

    async def story() -> None:
        server, anna = Node(), phone()
        assert (await register(anna, server, "anna")).status not in (200, 401), "nobody registers here"
        server.gateway.use_phones(PhonesConfig(DOMAIN, accounts=(entry("anna"),)))
        assert (await register(anna, server, "anna")).status == 200
        server.gateway.use_phones(PhonesConfig(DOMAIN, realm="elsewhere", accounts=(of_realm("elsewhere"),)))
        assert [one.registered for one in server.gateway.phones.snapshot(0.0)] == [False]
        assert (await register(anna, server, "anna")).status == 200
        server.gateway.use_phones(PhonesConfig(DOMAIN, realm="elsewhere", accounts=(entry("anna"),)))
        assert (await register(anna, server, "anna")).status == 401, "hashed for another realm"
        server.gateway.phones.set_accounts([of_realm("elsewhere").account])
        server.gateway.use_phones(PhonesConfig("other.test", realm="elsewhere"))
        assert (await register(anna, server, "anna")).status == 200
        server.gateway.use_phones(PhonesConfig())
        assert server.gateway.phones.snapshot(0.0) == ()
        assert (await register(anna, server, "anna")).status not in (200, 401)
        close((server, anna))

    run(story())


def busy(invite: Request) -> Response:
    headers = [(name, invite.headers.get(name) or "") for name in ("Via", "From", "Call-ID", "CSeq")]
    return Response(486, "", Headers([*headers, ("To", f"{invite.headers.get('To')};tag=x")]))


def test_peers_are_told_another_address_and_answers_to_what_was_sent_before_still_count() -> None:
    async def story() -> None:
        config = replace(CONFIG, t1_ms=4000)
        node, peer = Node(config=config), RawSocket()
        try:
            node.gateway.dial(OUT, f"sip:x@{IP}:{peer.port}", IP, 30_000, f"sip:a@{IP}")
            invite = await peer.receive()
            assert isinstance(invite, Request) and IP in (invite.headers.get("Via") or "")
            node.gateway.use(replace(config, advertised_ip="198.51.100.5"))
            await peer.send(serialize(busy(invite)), node.address)
            assert (await node.expect(LegEnded)).cause is HangupCause.PEER_BUSY
            ack = await peer.receive()
            assert isinstance(ack, Request) and ack.method == "ACK"
            await peer.send(peer.request("INVITE", body=sdp(40_000)), node.address)
            invited = await node.expect(LegInvited)
            assert node.gateway.media_address(invited.leg_id) == "198.51.100.5"
            assert node.gateway.media_bind_address(invited.leg_id) == IP
            node.gateway.accept(invited.leg_id, "198.51.100.5", 30_002)
            answer = await peer.response(200)
            assert "198.51.100.5" in (answer.headers.get("Contact") or "")
            node.gateway.use(config)
            assert node.gateway.media_address(invited.leg_id) == IP
        finally:
            node.gateway.close()
            peer.close()

    run(story())


def test_a_listener_is_called_otherwise_by_a_setting_of_its_own() -> None:
    async def story() -> None:
        node = Node(config=SipConfig(listeners=LISTENERS))
        there = Address("192.0.2.9", 5060)
        try:
            named = replace(LISTENERS[0], advertised_name="sip.example.com", advertised_port=5999)
            node.gateway.use(SipConfig(listeners=(named, LISTENERS[1])))
            assert str(node.wire.local_address(there)) == "sip.example.com:5999"
        finally:
            node.gateway.close()

    run(story())


def test_a_listener_speaks_tls_as_it_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first, second = (authority.issue(name, f"{name}.example.com") for name in ("first", "second"))
    listener = ListenerConfig("tls", 0, IP, certificate=first[0], key=first[1])
    moved = replace(listener, certificate=second[0], key=second[1], min_version="1.3")
    trusting, old = (ssl.create_default_context(cafile=authority.ca) for _ in range(2))
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def story() -> None:
        node = Node(config=SipConfig(listeners=(listener,)))
        try:
            async with StreamPeer(node.address, old, "first.example.com") as running:
                node.gateway.use(SipConfig(listeners=(moved,)))
                async with StreamPeer(node.address, trusting, "second.example.com") as peer:
                    peer.send(request(transport="TLS"))
                    assert (await peer.response()).status == 200
                with pytest.raises(ssl.SSLError):
                    async with StreamPeer(node.address, old, "second.example.com"):
                        pass
                running.send(request(transport="TLS", branch="2"))
                assert (await running.response()).status == 200, "a connection that is up goes on"
        finally:
            node.gateway.close()

    run(story())


def test_phones_and_trunks_are_asked_in_another_way() -> None:
    async def story() -> None:
        server, anna = house(), phone()
        assert (await register(anna, server, "anna")).status == 200
        before = server.gateway.phones._config
        wanted = replace(before, algorithms=("SHA-512-256", "MD5"), nonce_life_s=7.0, failures=2)
        server.gateway.use_phones(wanted)
        peer = RawSocket()
        await peer.send(peer.request("REGISTER", start=f"REGISTER sip:{DOMAIN} SIP/2.0"), server.address)
        asked = (await peer.response(401)).headers.get_all("WWW-Authenticate")
        assert ["SHA-512-256" in line for line in asked] == [True, False] and len(asked) == 2
        for digest in (server.gateway.phones._digest, server.gateway._reception._digest):
            assert digest._nonces.life_s == 7.0 and digest._failures.limits.at_once == 2
        assert server.gateway._reception._digest._policy.realm == DOMAIN
        close((server, anna))
        peer.close()

    run(story())
