"""The whole server on a trunk: it registers by an edge proxy, is called by it, calls by it, and leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.carrier import carrier, refuses
from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sip_node import until
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sipp_script import answer
from tests.interop.sound import seconds_with, tone
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ = 1000


def test_a_caller_is_put_through_by_the_trunk_that_brought_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRIER_PASSWORD", "secret")
    desk = free_port()
    target = {"name": "desk", "uri": "sip:echo@carrier.test", "kind": "bridged"}
    with (
        Kamailio(tmp_path, "core", echo=f"127.0.0.1:{desk}", expires="60") as core,
        Kamailio(tmp_path, "edge") as edge,
    ):
        server = Server(
            tmp_path,
            agent="put_through",
            settings={"transfer": {"targets": [target]}, "sip": {"strangers": "refuse"}},
        )
        server.write_trunk(
            "carrier",
            hosts=["127.0.0.1"],
            domain="carrier.test",
            outbound_proxies=[f"sip:{edge.address}"],
            realm="carrier.test",
            username="us",
            password_env="CARRIER_PASSWORD",
            register_there=True,
            registration={"registrar": f"sip:{core.address}"},
            carries=["echo"],
        )
        with server, RtpPeer() as here:
            asyncio.run(until(lambda: '"registered"' in server.process.output))
            values = {"rtp_port": str(here.port), "hold_ms": TOLD}
            with (
                Sipp(tmp_path, "uas_routed", port=desk, extra=("-rtp_echo",)) as answering,
                Sipp(tmp_path, "uac", target=core.address, service="us", values=values) as caller,
            ):
                here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
                here.wait_heard(lambda heard: seconds_with(heard, CALLER_HZ) >= 2)
                caller.tell()
                caller.passed()
                answering.passed()
                invite = answering.wait_for("INVITE")
            log = server.call()
        gone = {"status": "404", "headers": "", "body": "", "max_forwards": "70", "content_type": "text/plain"}
        with Sipp(tmp_path, "refused_invite", target=core.address, service="us", values=gone) as caller:
            caller.passed()
    assert log.cause == "caller_hangup"
    assert [fact["step"] for fact in log.all("TransferHasProgressed")][-1] == "answered"
    assert invite.text.count("Via:") == 3, "core and edge brought it"
    assert seconds_with(here.heard(), CALLER_HZ) >= 2, "the desk sends back what it hears"


def test_a_call_that_one_trunk_cannot_carry_goes_by_the_next(tmp_path: Path) -> None:
    """The first carrier fails after it has rung, the second one answers: caller and desk hear one another."""
    desk = free_port()
    target = {"name": "desk", "uri": "+4930999", "kind": "bridged"}
    with carrier(tmp_path, answer("180 Ringing", tag="carrier") + refuses("500 Broken")) as failing:
        server = Server(tmp_path, agent="put_through", settings={"transfer": {"targets": [target]}})
        way = {"hosts": ["127.0.0.1"], "carries": ["+49*"], "health": {"options_s": 0}, "max_calls": 3}
        server.write_trunk("cheap", port=failing.port, priority=1, **way)
        server.write_trunk("dear", port=desk, priority=2, **way)
        with server, RtpPeer() as here:
            values = {"rtp_port": str(here.port), "hold_ms": TOLD}
            with (
                Sipp(tmp_path, "uas_echo", port=desk, extra=("-rtp_echo",)) as answering,
                Sipp(tmp_path, "uac", target=server.address, service="us", values=values) as caller,
            ):
                here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
                here.wait_heard(lambda heard: seconds_with(heard, CALLER_HZ) >= 2)
                caller.tell()
                caller.passed()
                answering.passed()
            log = server.call()
        failing.wait_for("INVITE")
    failed = log.one("TrunkHasFailed")
    assert (failed["trunk"], failed["next_trunk"], failed["cause"]) == ("cheap", "dear", "peer_failed")
    assert (failed["leg"], failed["status"]) == ("callee", 500)
    assert [fact["step"] for fact in log.all("TransferHasProgressed")][-1] == "answered"
    assert seconds_with(here.heard(), CALLER_HZ) >= 2, "the desk sends back what it hears"


def test_a_stranger_who_is_refused_leaves_a_record(tmp_path: Path) -> None:
    refusal = {"status": "403", "headers": "", "body": "", "max_forwards": "70", "content_type": "text/plain"}
    with Server(tmp_path, settings={"sip": {"strangers": "refuse"}}) as server:
        with Sipp(tmp_path, "refused_invite", target=server.address, service="us", values=refusal) as stranger:
            stranger.passed()
        log = server.call()
    assert log.cause == "unknown_source"
    assert log.one("CallWasOffered")["called"] == "us"
    assert log.one("CallWasIntroduced")["source"] == "127.0.0.1"
