"""Passwords: sipp knows one and is let in, or knows none and is not; Kamailio asks us, twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sip_node import OUT, SipNode, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegEnded
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sip.counters import SipCounter
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN = "voice.test"


def house(work: Path, user: str, secret: str, **phones: Any) -> Server:
    """A server with one phone."""
    account = {"name": user, "md5": make_ha1(Algorithm.MD5, user, phones.get("realm", DOMAIN), secret)}
    section = {"domain": DOMAIN, "accounts": [account], "algorithms": ["MD5"], **phones}
    return Server(work, settings={"phones": section})


def test_sipp_registers_and_calls_with_its_password(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose", algorithms=["MD5"]) as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "7000"}
        extra = ("-au", "anna", "-ap", "rose")
        with Sipp(tmp_path, "phone", target=server.address, values=values, extra=extra) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 5))
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
        assert "phone registered" in server.process.output
    assert log.one("CallWasOffered")["calling"] == "anna"
    assert speech_seconds(media.heard()) >= 1
    assert seconds_with(caller, 1000) >= 2
    assert "Authorization" not in str(log.facts), "nobody can try passwords on what is written down"


def test_sipp_with_a_wrong_password_gets_no_call(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose") as server:
        values, extra = {"rtp_port": "9", "hold_ms": "10"}, ("-au", "anna", "-ap", "tulip")
        with Sipp(tmp_path, "phone", target=server.address, values=values, extra=extra) as sipp:
            assert sipp.process.wait(40) != 0
            assert len(sipp.distinct("SIP/2.0 401")) == 2
        assert "phone registered" not in server.process.output
        assert server.calls(0) == []


@contextmanager
def gates(work: Path, echo_port: int, nonce_s: int = 300) -> Iterator[tuple[Kamailio, Kamailio]]:
    """A proxy that asks with 407, and behind it one that asks with 401; then whoever answers at ``echo_port``."""
    common = {"nonce_s": str(nonce_s)}
    with (
        Kamailio(
            work,
            "gate",
            realm="server.test",
            authenticate="pv_www_authenticate",
            challenge="www_challenge",
            next=f"127.0.0.1:{echo_port}",
            **common,
        ) as server,
        Kamailio(
            work,
            "gate",
            realm="gate.test",
            authenticate="pv_proxy_authenticate",
            challenge="proxy_challenge",
            next=server.address,
            **common,
        ) as gate,
    ):
        yield gate, server


def trunk(gate: Kamailio, password: str) -> Trunk:
    """An account at the first proxy. Both ask for it, each in its own realm."""
    settings = TrunkSettings.model_validate(
        {
            "host": "127.0.0.1",
            "port": gate.port,
            "username": "us",
            "carries": ["*"],
            "health": {"options_s": 0},
        }
    )
    return Trunk("carrier", settings, password)


def test_a_proxy_asks_and_a_server_behind_it_asks_again(tmp_path: Path) -> None:
    echo_port = free_port()

    async def scenario(gate: Kamailio) -> None:
        with SipNode(trunks=[trunk(gate, "secret")]) as node:
            for asked in (2, 0):
                with (
                    Sipp(tmp_path, "uas_routed", port=echo_port, extra=("-rtp_echo",)).listening() as answering,
                    RtpPeer() as media,
                ):
                    before = node.counters.get(SipCounter.CHALLENGES_ANSWERED)
                    node.dial("tel:+4930123", media)
                    session = await node.answered()
                    answered = node.counters.get(SipCounter.CHALLENGES_ANSWERED) - before
                    assert answered == asked, "the second call brings along what the first was asked for"
                    await speaks_and_hears_echo(media, session)
                    node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
                    await node.expect(LegEnded)
                    await asyncio.to_thread(answering.passed)
                    assert "Authorization" not in answering.wait_for("INVITE").text

    with gates(tmp_path, echo_port) as (gate, _server):
        run(scenario(gate))


def test_a_wrong_password_ends_the_call_at_the_first_proxy(tmp_path: Path) -> None:
    async def scenario(gate: Kamailio) -> None:
        with SipNode(trunks=[trunk(gate, "guess")]) as node, RtpPeer() as media:
            node.dial("tel:+4930123", media)
            ended = await node.expect(LegEnded)
            assert ended.sip_status == 407
            assert node.counters.get(SipCounter.CHALLENGES_ANSWERED) == 1

    with gates(tmp_path, free_port()) as (gate, _server):
        run(scenario(gate))
