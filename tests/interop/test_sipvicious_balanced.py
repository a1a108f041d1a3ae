"""SIPVicious before Kamailio as it ships, with a node behind it: it learns no name and no password. The node finds
out who it is and says so to Kamailio, which is silent from then on. Everybody else is heard as before.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.balancer_peer import Balancer
from tests.interop.sip_node import SipNode
from tests.interop.sipvicious_scan import PHONE, Scan
from tests.interop.test_kamailio_balancer import becomes
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard import BanReason
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.phone_config import PhoneEntry, PhonesConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, NAME, PASSWORD = "voice.test", "105", "rose"
BALANCER = "127.0.0.1"
WALKERS = {"REGISTER": "127.0.0.81", "INVITE": "127.0.0.82"}
GUESSER, LIAR, SCANNER, HONEST = "127.0.0.83", "127.0.0.84", "127.0.0.85", "127.0.0.86"
_PATIENCE_S = 30.0


def house() -> SipNode:
    """One phone; who is behind the balancer is no more than a stranger here, and a few guesses are too much."""
    phone = PhoneEntry(NAME, md5=make_ha1(Algorithm.MD5, NAME, DOMAIN, PASSWORD))
    guard = GuardConfig(trusted=(), balancers=(f"{BALANCER}/32",), wrong_answers=4, unanswered=6)
    config = SipConfig(listen_ip="127.0.0.1", listen_port=free_port(), guard=guard)
    return SipNode(config=config, phones=PhonesConfig(DOMAIN, accounts=(phone,), algorithms=("MD5",)))


def asks(balancer: Balancer, host: str, name: str, number: int, patience_s: float, *more: str) -> str:
    """The answer to a REGISTER from there that says whose it is not: the header is the balancer's to write."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        endpoint.settimeout(patience_s)
        own_port = endpoint.getsockname()[1]
        lines = [
            f"REGISTER sip:{DOMAIN} SIP/2.0",
            f"X-Voicegw-Source: {HONEST}",
            f"Via: SIP/2.0/UDP {host}:{own_port};branch=z9hG4bK-{host}-{number}",
            "Max-Forwards: 70",
            f"From: <sip:{name}@{DOMAIN}>;tag={number}",
            f"To: <sip:{name}@{DOMAIN}>",
            f"Call-ID: {number}-{name}@{host}",
            "CSeq: 1 REGISTER",
            f"User-Agent: {PHONE}",
            f"X-Voicegw-Source: {HONEST}",
            *more,
            "Content-Length: 0",
        ]
        endpoint.sendto("\r\n".join([*lines, "", ""]).encode(), (balancer.host, balancer.port))
        try:
            return endpoint.recv(4096).decode()
        except TimeoutError:
            return ""


def wrong(balancer: Balancer, host: str) -> str:
    """An answer to the challenge that the host got; one to somebody else's would be nobody's guess."""
    nonce = re.search(r'nonce="([^"]+)"', asks(balancer, host, NAME, 0, _PATIENCE_S))
    assert nonce is not None
    return (
        f'Authorization: Digest username="{NAME}", realm="{DOMAIN}", nonce="{nonce[1]}", uri="sip:{DOMAIN}", '
        f'algorithm=MD5, response="{"0" * 32}"'
    )


def until_ignored(balancer: Balancer, host: str, *more: str) -> None:
    """Ask for names until the balancer has had a word from the node."""
    deadline, number = time.monotonic() + _PATIENCE_S, 0
    while host not in balancer.ignored():
        assert time.monotonic() < deadline, f"{host} is still heard"
        number += 1
        answer = asks(balancer, host, str(300 + number), number, 1.0, *more)
        assert "X-Voicegw" not in answer, "what balancer and node say to one another is not for strangers"


def scanned(balancer: Balancer, work: Path) -> None:
    """All that SIPVicious has, at once."""
    (work / "words").write_text("\n".join([*(f"word{number}" for number in range(20)), PASSWORD]) + "\n")
    crack = ("-u", NAME, "--domain", DOMAIN, "--maximumtime", "2", "-d", "words")
    walk = ("--force", "--domain", DOMAIN, "--maximumtime", "2", "-e", "104-112")
    at = (balancer.host, balancer.port)
    with ExitStack() as stack:

        def scan(tool: str, address: str, *options: str, agent: str = PHONE) -> Scan:
            return stack.enter_context(Scan(at, work, tool, address, options, agent=agent))

        walkers = [scan("svwar", host, "-m", method, *walk) for method, host in WALKERS.items()]
        guesser = scan("svcrack", GUESSER, *crack)
        silent = [scan("svwar", SCANNER, *walk, agent=""), scan("svcrack", SCANNER, *crack, agent="")]
        for one in walkers:
            assert "found nothing" in one.said, "the name that exists is answered as the one that does not"
        for one in (guesser, *silent):
            assert PASSWORD not in one.said and NAME not in one.said


@pytest.mark.timeout(120)
def test_it_finds_nobody_behind_the_balancer_and_is_banned_by_the_node(tmp_path: Path) -> None:
    async def scenario(stack: ExitStack) -> None:
        node = stack.enter_context(house())
        balancer = Balancer(tmp_path, {"a": str(node.address)})
        await asyncio.to_thread(stack.enter_context, balancer)
        await becomes(balancer, str(node.address), True)
        await asyncio.to_thread(scanned, balancer, tmp_path)
        assert node.counters.get(SipCounter.PHONES_ASKED) > 0, "it was here"
        lie = await asyncio.to_thread(wrong, balancer, LIAR)
        await asyncio.to_thread(until_ignored, balancer, LIAR, lie)
        for host in (*WALKERS.values(), GUESSER):
            await asyncio.to_thread(until_ignored, balancer, host)
        reasons = {ban.host: ban.reason for ban in node.gateway.snapshot().guard.bans}
        assert reasons.pop(GUESSER) in (BanReason.GUESSING, BanReason.UNANSWERED)
        assert reasons.pop(LIAR) is BanReason.GUESSING
        assert reasons == dict.fromkeys(WALKERS.values(), BanReason.UNANSWERED), "nobody is banned for another"
        named = dict.fromkeys((*WALKERS.values(), GUESSER, LIAR), "a node ignores it")
        assert balancer.ignored() == named | {SCANNER: "it names a scanner in User-Agent"}
        honest = await asyncio.to_thread(asks, balancer, HONEST, NAME, 1, _PATIENCE_S)
        assert honest.startswith("SIP/2.0 401 "), "whom they named is heard"
        assert await asyncio.to_thread(asks, balancer, GUESSER, NAME, 999, 1.0) == ""
        await becomes(balancer, str(node.address), True)  # whose pings are not among what is ignored

    async def bounded() -> None:
        with ExitStack() as stack:
            async with asyncio.timeout(100):
                await scenario(stack)

    asyncio.run(bounded())
