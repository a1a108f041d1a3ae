"""Kamailio as it ships before two nodes: who drains or is dead gets no calls, and scanners find nobody."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.interop.balancer_peer import Balancer
from tests.interop.grave import Grave
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import SipNode, goes_on, hears, until
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import tone
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited
from voicegw.sip.counters import SipCounter, refused
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

MAPPER, CALLER, PROBER, FLOODER, HONEST = (f"127.0.0.{number}" for number in range(66, 71))
_PATIENCE_S, _WHOLE_S = 60, 110


def whole(scenario: Callable[[ExitStack], Coroutine[Any, Any, None]]) -> None:
    """Run it; what it enters is left at its end."""

    async def bounded() -> None:
        with ExitStack() as stack:
            async with asyncio.timeout(_WHOLE_S):
                await scenario(stack)

    asyncio.run(bounded())


async def started(stack: ExitStack, work: Path, nodes: Sequence[SipNode]) -> Balancer:
    """A balancer that sends calls to all of them: they answer it while it starts."""
    places = [str(node.address) for node in nodes]
    balancer = Balancer(work, dict(zip("ab", places, strict=False)))
    await asyncio.to_thread(stack.enter_context, balancer)
    for place in places:
        await becomes(balancer, place, True)
    return balancer


async def becomes(balancer: Balancer, place: str, takes_calls: bool) -> None:
    """Until the node there gets calls, or gets none; kamcmd is waited for while the nodes of this process go on."""
    while await asyncio.to_thread(balancer.takes_calls, place) is not takes_calls:  # noqa: ASYNC110 - Kamailio's
        await asyncio.sleep(0.02)


async def takes(node: SipNode, near: RtpPeer) -> None:
    """The node's next call is answered from ``near``, which speaks."""
    invited = await node.expect(LegInvited)
    session = node.gateway.accept(invited.leg_id, "127.0.0.1", near.port)
    assert session is not None
    await node.expect(LegConfirmed)
    near.start((session.remote_ip, session.remote_port), tone(1700, 15))


def test_a_draining_node_gets_no_calls_and_keeps_those_it_has(tmp_path: Path) -> None:
    async def scenario(stack: ExitStack) -> None:
        nodes = (stack.enter_context(SipNode()), stack.enter_context(SipNode()))
        balancer = await started(stack, tmp_path, nodes)
        far, near, far_too, near_too = (stack.enter_context(RtpPeer()) for _ in range(4))

        def call(media: RtpPeer) -> Sipp:
            values = {"rtp_port": str(media.port), "hold_ms": TOLD}
            return Sipp(tmp_path, "uac", target=balancer.address, values=values)

        with call(far) as first:
            await until(lambda: any(node.counters.get(SipCounter.CALLS_IN) for node in nodes))
            one, two = sorted(nodes, key=lambda node: -node.counters.get(SipCounter.CALLS_IN))
            await takes(one, near)
            far.start(("127.0.0.1", near.port), tone(1000, 15))
            await hears(near, 1000)
            one.gateway.drain()
            await until(lambda: one.counters.get(refused(503)) >= 1)
            await becomes(balancer, str(one.address), False)
            with call(far_too) as second:
                await takes(two, near_too)
                await hears(far_too, 1700)
                await goes_on(second)
            await hears(far, 1700, 2.0)
            await goes_on(first)
        await one.expect(LegEnded)
        assert (one.counters.get(SipCounter.CALLS_IN), two.counters.get(SipCounter.CALLS_IN)) == (1, 1)

    whole(scenario)


def test_a_dead_node_gets_no_new_calls(tmp_path: Path) -> None:
    """Who calls before anybody knows reaches the other node all the same. Afterwards no INVITE comes to where the
    dead one was: by turns, one of two calls would."""

    async def scenario(stack: ExitStack) -> None:
        dying = stack.enter_context(ExitStack())
        dead, alive = dying.enter_context(SipNode()), stack.enter_context(SipNode())
        balancer = await started(stack, tmp_path, (dead, alive))

        async def call() -> float:
            """One with audio both ways; when it was answered."""
            await becomes(balancer, str(alive.address), True)
            with RtpPeer() as far, RtpPeer() as near:
                values = {"rtp_port": str(far.port), "hold_ms": TOLD}
                with Sipp(tmp_path, "uac", target=balancer.address, values=values) as sipp:
                    await takes(alive, near)
                    answered = time.monotonic()
                    far.start(("127.0.0.1", near.port), tone(1000, 15))
                    await hears(far, 1700)
                    await hears(near, 1000)
                    await goes_on(sipp)
            return answered

        dying.close()
        died = time.monotonic()
        grave = stack.enter_context(Grave(*dead.address.place))
        early = asyncio.create_task(call())
        await becomes(balancer, str(dead.address), False)
        print(f"dead: passed over after {time.monotonic() - died:.2f} s, as far as one can see from here")
        print(f"dead: a call of that moment was answered after {await early - died:.2f} s")
        before = grave.calls
        for _ in range(2):
            await call()
        assert grave.calls == before

    whole(scenario)


@contextmanager
def stranger(host: str, balancer: Balancer) -> Iterator[Callable[..., str]]:
    """Asks from that address: method, number, patience in seconds. It says the first line of the answer, or ""."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        endpoint.connect((balancer.host, balancer.port))

        def ask(method: str, number: int, patience_s: float = 1.0) -> str:
            endpoint.settimeout(patience_s)
            endpoint.send(request(method, number, endpoint.getsockname(), balancer.address))
            try:
                return endpoint.recv(4096).decode().partition("\r\n")[0]
            except TimeoutError:
                return ""

        yield ask


def request(method: str, number: int, source: tuple[str, int], to: str) -> bytes:
    """One of an honest program."""
    host, port = source
    lines = [
        f"{method} sip:{number}@{to} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{number}",
        f"From: <sip:{number}@{host}>;tag={number}",
        f"To: <sip:{number}@{to}>",
        f"Call-ID: {method}-{number}@{host}",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        "User-Agent: Honest",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_scanners_find_nobody_behind_the_balancer(tmp_path: Path) -> None:
    """svmap, which finds the balancer from its own address; then questions of others, without a scanner's name."""

    def finds(port: int, source: str, *options: str) -> bool:
        line = ["svmap", "-P", str(free_port()), "-b", source, "-x", source, "-p", str(port), *options, "127.0.0.1"]
        home = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
        done = subprocess.run(line, env=home, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        print(done.stdout, done.stderr)
        return "found nothing" not in done.stderr

    async def scenario(stack: ExitStack) -> None:
        node = stack.enter_context(SipNode())
        balancer = await started(stack, tmp_path, (node,))
        assert await asyncio.to_thread(finds, balancer.port, balancer.host)
        scans = ((MAPPER,), (CALLER, "-m", "INVITE"))
        assert not any(await asyncio.gather(*(asyncio.to_thread(finds, balancer.port, *scan) for scan in scans)))
        named = "it names a scanner in User-Agent"
        assert balancer.ignored() == {MAPPER: named, CALLER: named}
        await asyncio.to_thread(strangers_are_ignored, balancer)
        assert node.counters.get(SipCounter.CALLS_IN) == 0, "none of it was a call to the node"
        far, near = stack.enter_context(RtpPeer(HONEST)), stack.enter_context(RtpPeer())
        values = {"rtp_port": str(far.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac", target=balancer.address, values=values, host=HONEST) as caller:
            await takes(node, near)
            far.start(("127.0.0.1", near.port), tone(1000, 15))
            await hears(far, 1700)
            await hears(near, 1000)
            await goes_on(caller)

    whole(scenario)


def strangers_are_ignored(balancer: Balancer) -> None:
    """Who is refused again and again, and who sends far too much; and whoever only asks who is there."""
    with stranger(MAPPER, balancer) as ask:
        assert ask("REGISTER", 1) == "", "by another name it is still the same"
    with stranger(PROBER, balancer) as ask:
        assert ask("OPTIONS", 1) == ""
        assert ask("REGISTER", 2, _PATIENCE_S).startswith("SIP/2.0 "), "a refusal is an answer"
        until_ignored(balancer, PROBER, lambda number: ask("REGISTER", 3 + number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.bind((FLOODER, 0))
        flood.connect((balancer.host, balancer.port))
        options = request("OPTIONS", 1, flood.getsockname(), balancer.address)
        until_ignored(balancer, FLOODER, lambda _number: [flood.send(options) for _ in range(500)])
    for host in (PROBER, FLOODER):
        with stranger(host, balancer) as ask:
            assert ask("REGISTER", 1) == ""
    assert passes_on(balancer, balancer.host, _PATIENCE_S) and not passes_on(balancer, HONEST, 1.0)
    why = balancer.ignored()
    assert why[PROBER] == "it was refused again and again"
    assert why[FLOODER] == "it went on far beyond its rate"


def passes_on(balancer: Balancer, host: str, patience_s: float) -> bool:
    """Whether an answer to nothing goes from that address to where it says, which is the same address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        endpoint.settimeout(patience_s)
        lines = [
            "SIP/2.0 200 OK",
            f"Via: SIP/2.0/UDP {balancer.address};branch=z9hG4bKnone",
            f"Via: SIP/2.0/UDP {host}:{endpoint.getsockname()[1]};branch=z9hG4bKfar",
            f"From: <sip:1@{host}>;tag=1",
            f"To: <sip:2@{host}>;tag=2",
            f"Call-ID: nothing@{host}",
            "CSeq: 1 INVITE",
            "Content-Length: 0",
        ]
        endpoint.sendto("\r\n".join([*lines, "", ""]).encode(), (balancer.host, balancer.port))
        try:
            return endpoint.recv(4096).startswith(b"SIP/2.0 200 ")
        except TimeoutError:
            return False


def until_ignored(balancer: Balancer, host: str, sends: Callable[[int], object]) -> None:
    """Send, again and again, until the balancer has had enough."""
    deadline = time.monotonic() + _PATIENCE_S
    for number in count():
        if host in balancer.ignored():
            return
        assert time.monotonic() < deadline, f"{host} is still heard"
        sends(number)
