"""Far ends that change under a running call, and calls of ours that are sent elsewhere: sipp and baresip do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.interop.baresip_peer import Baresip, Step, dial, hang_up, press
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sipp_script import (
    answer,
    answered,
    expect,
    expect_and_keep,
    invite,
    invite_again,
    pause,
    refused,
    request,
    request_back,
    script,
    sdp,
    until_told,
)
from tests.interop.sound import seconds_with, silence, speech_seconds, tone
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

FIRST_HZ, SECOND_HZ = 1000, 1700
ANYBODY_HERE: dict[str, Any] = {"sip": {"forward_to": ["sip:*@127.0.0.1:*"]}}


def media_of(body: str) -> tuple[str, int]:
    line = next(line for line in body.splitlines() if line.startswith("m=audio"))
    return "127.0.0.1", int(line.split()[1])


def talk(here: RtpPeer, there: RtpPeer, seconds: float) -> None:
    """Until each has heard the other for so long."""
    here.wait_heard(lambda heard: seconds_with(heard, SECOND_HZ) >= seconds)
    there.wait_heard(lambda heard: seconds_with(heard, FIRST_HZ) >= seconds)


NEWS = expect("NOTIFY", 20_000) + answer("200 OK")
"""A NOTIFY about the call that a REFER asked for."""


def test_a_refer_of_the_caller_brings_the_agent_another_caller(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, settings=ANYBODY_HERE) as server, RtpPeer() as here, RtpPeer() as there:
        steps = [
            invite(1, sdp(here.port)) + answered() + until_told(),
            request("REFER", 2, f"Refer-To: <sip:desk@127.0.0.1:{port}>", "Referred-By: <sip:pbx@127.0.0.1>"),
            expect(202) + NEWS + NEWS + NEWS,
            expect("BYE", 30_000) + answer("200 OK"),
        ]
        values = {"rtp_port": str(there.port), "after_ms": TOLD}
        with (
            Sipp(tmp_path, "target_hangs_up", port=port, values=values) as target,
            Sipp(tmp_path, script(*steps), target=server.address) as pbx,
        ):
            here.start(("127.0.0.1", pbx.answered_port()), tone(FIRST_HZ, 60))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, FIRST_HZ) >= 1.2)
            pbx.tell()
            call = target.wait_for("INVITE")
            target.wait_for("ACK")
            there.start(media_of(call.body), tone(SECOND_HZ, 12), digits="4711")
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, SECOND_HZ) >= 2)
            there.wait_heard(lambda heard: speech_seconds(heard) >= 1)
            target.tell()
            pbx.passed()
            target.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    fragments = [notify.body.strip() for notify in pbx.distinct("NOTIFY")]
    assert fragments == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]
    assert call.header("Referred-By") == "<sip:pbx@127.0.0.1>"
    assert log.one("FarEndWasReferred")["followed"] is True
    assert log.one("FarEndWasReplaced") == log.one("FarEndWasReplaced") | {"leg": "caller"}
    assert log.keys == "4711", "the agent talks with whom the caller was exchanged for"
    assert speech_seconds(there.heard()) >= 1
    assert seconds_with(caller, FIRST_HZ) >= 1
    assert seconds_with(caller, SECOND_HZ) >= 1.5


def test_a_refer_to_whom_nobody_allowed_is_declined_and_the_call_goes_on(server: Server, tmp_path: Path) -> None:
    lost_s = server.lost_s
    with RtpPeer() as here:
        steps = [
            invite(1, sdp(here.port)) + answered() + pause(1000),
            request("REFER", 2, "Refer-To: <sip:+1900555@127.0.0.1:5999>") + expect(603) + pause(1000),
            request("BYE", 3) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as pbx:
            here.start(("127.0.0.1", pbx.answered_port()), tone(FIRST_HZ, 5))
            pbx.passed()
        log = server.call()
    assert log.one("FarEndWasReferred")["followed"] is False
    assert here.longest_pause_s() < 0.5 + server.lost_s - lost_s


def test_a_new_dialog_replaces_a_running_one(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as here, RtpPeer() as there:
        values = {"rtp_port": str(here.port), "hold_ms": "50000"}
        with Sipp(tmp_path, "uac_hung_up", target=server.address, values=values) as first:
            here.start(("127.0.0.1", first.answered_port()), tone(FIRST_HZ, 60))
            running = first.wait_for("SIP/2.0 200", "INVITE")
            tags = {name: running.header(name).partition("tag=")[2] for name in ("From", "To")}
            named = f"{running.header('Call-ID')};to-tag={tags['To']};from-tag={tags['From']}"
            steps = [
                invite(1, sdp(there.port), f"Replaces: {named};early-only") + refused(486),
                invite_again(2, sdp(there.port), "Replaces: x@y;to-tag=1;from-tag=2") + refused(481, 2),
                invite_again(3, sdp(there.port), f"Join: {named}") + refused(488, 3),
                invite_again(4, sdp(there.port), "Require: join") + refused(420, 4),
                invite_again(5, sdp(there.port), f"Replaces: {named}") + answered(cseq=5) + until_told(),
                request("BYE", 6) + expect(200),
            ]
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, FIRST_HZ) >= 1.2)
            with Sipp(tmp_path, script(*steps), target=server.address) as second:
                there.start(("127.0.0.1", second.answered_port()), tone(SECOND_HZ, 12))
                server.wait_recorded(lambda caller, _agent: seconds_with(caller, SECOND_HZ) >= 2.2)
                second.tell()
                first.passed()
                second.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    assert log.one("FarEndWasReplaced")["leg"] == "caller"
    assert log.cause == "caller_hangup"
    assert seconds_with(caller, FIRST_HZ) >= 1
    assert seconds_with(caller, SECOND_HZ) >= 2
    assert len(there.packets) >= 100


@pytest.mark.parametrize("allowed", [True, False])
def test_a_desk_that_has_moved_is_called_where_it_is_if_that_is_allowed(tmp_path: Path, allowed: bool) -> None:
    old, new = free_port(), free_port()
    target = {"name": "desk", "uri": f"sip:desk@127.0.0.1:{old}", "kind": "bridged"}
    settings = {"transfer": {"targets": [target]}} | (ANYBODY_HERE if allowed else {})
    moved = expect("INVITE") + answer("302 Moved Temporarily", tag="moved", contact=f"<sip:desk@127.0.0.1:{new}>")
    with Server(tmp_path, agent="put_through", settings=settings) as server, RtpPeer() as here, RtpPeer() as there:
        caller_values = {"rtp_port": str(here.port), "hold_ms": "50000"}
        desk_values = {"rtp_port": str(there.port), "after_ms": TOLD}
        with (
            Sipp(tmp_path, script(moved, expect("ACK")), port=old) as first,
            Sipp(tmp_path, "target_hangs_up", port=new, values=desk_values) as second,
            Sipp(tmp_path, "uac_hung_up", target=server.address, values=caller_values) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(FIRST_HZ, 60))
            if allowed:
                there.start(media_of(second.wait_for("INVITE").body), tone(SECOND_HZ, 60))
                talk(here, there, 2)
                second.tell()
                second.passed()
            caller.passed()
            first.passed()
        log = server.call()
    if allowed:
        assert log.cause == "callee_hangup"
        assert seconds_with(here.heard(), SECOND_HZ) >= 2
        assert seconds_with(there.heard(), FIRST_HZ) >= 2
    else:
        assert log.one("TransferHasFailed")["status"] == 302
        assert not second.messages


def test_a_desk_that_wants_longer_intervals_gets_them(tmp_path: Path) -> None:
    """422 with Min-SE: the same call again, with what the other side can agree to (RFC 4028 §7.3)."""
    port = free_port()
    target = {"name": "desk", "uri": f"sip:desk@127.0.0.1:{port}", "kind": "bridged"}
    settings = {"transfer": {"targets": [target]}}
    with Server(tmp_path, agent="put_through", settings=settings) as server, RtpPeer() as here, RtpPeer() as there:
        steps = [
            expect("INVITE")
            + answer("422 Session Interval Too Small", "Min-SE: 3600", tag="first")
            + expect("ACK"),
            expect("INVITE"),
            answer(
                "200 OK", "Require: timer", "Session-Expires: 3600;refresher=uac", body=sdp(there.port), tag="2"
            ),
            expect("ACK") + expect("BYE", 50_000) + answer("200 OK"),
        ]
        values = {"rtp_port": str(here.port), "hold_ms": TOLD}
        with (
            Sipp(tmp_path, script(*steps), port=port) as desk,
            Sipp(tmp_path, "uac", target=server.address, values=values) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(FIRST_HZ, 60))
            there.start(media_of(desk.wait_for("INVITE").body), silence(12))
            there.wait_heard(lambda heard: seconds_with(heard, FIRST_HZ) >= 1)
            caller.tell()
            caller.passed()
            desk.passed()
        log = server.call()
    first, again = desk.distinct("INVITE")
    assert (first.header("Session-Expires"), again.header("Session-Expires")) == ("1800", "3600")
    assert again.header("Min-SE") == "3600"
    assert (first.header("Call-ID"), first.header("CSeq")) == (again.header("Call-ID"), "1 INVITE")
    assert again.header("CSeq") == "2 INVITE"
    assert log.all("CallerWasConnected")
    assert seconds_with(there.heard(), FIRST_HZ) >= 1


def test_a_desk_hands_its_caller_on_to_another_one(tmp_path: Path) -> None:
    """The desk that took a caller sends REFER: the caller stays on the line and talks with somebody else."""
    desk_port, other_port = free_port(), free_port()
    target = {"name": "desk", "uri": f"sip:desk@127.0.0.1:{desk_port}", "kind": "bridged"}
    settings = {"transfer": {"targets": [target]}} | ANYBODY_HERE
    with (
        Server(tmp_path, agent="put_through", settings=settings) as server,
        RtpPeer() as here,
        RtpPeer() as desk_media,
        RtpPeer() as there,
    ):
        steps = [
            expect_and_keep("INVITE") + answer("200 OK", body=sdp(desk_media.port), tag="desk") + expect("ACK"),
            pause(1500) + request_back("REFER", 1, f"Refer-To: <sip:other@127.0.0.1:{other_port}>", tag="desk"),
            expect(202) + NEWS + NEWS + NEWS + expect("BYE", 30_000) + answer("200 OK"),
        ]
        caller_values = {"rtp_port": str(here.port), "hold_ms": "50000"}
        other_values = {"rtp_port": str(there.port), "after_ms": TOLD}
        with (
            Sipp(tmp_path, script(*steps), port=desk_port) as desk,
            Sipp(tmp_path, "target_hangs_up", port=other_port, values=other_values) as other,
            Sipp(tmp_path, "uac_hung_up", target=server.address, values=caller_values) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(FIRST_HZ, 60))
            there.start(media_of(other.wait_for("INVITE").body), tone(SECOND_HZ, 60))
            talk(here, there, 2)
            other.tell()
            for sipp in (desk, other, caller):
                sipp.passed()
        log = server.call()
    assert log.one("FarEndWasReplaced") == {
        "fact": "FarEndWasReplaced",
        "leg": "callee",
        "uri": f"sip:other@127.0.0.1:{other_port}",
    }
    assert log.cause == "callee_hangup"
    assert seconds_with(here.heard(), SECOND_HZ) >= 2
    assert seconds_with(there.heard(), FIRST_HZ) >= 2


@pytest.mark.parametrize("final", ["200 OK", "603 Decline"])
def test_caller_and_desk_are_left_to_themselves_if_the_callers_side_can(tmp_path: Path, final: str) -> None:
    """REFER with Replaces (RFC 5589): the caller's side is asked to take our place towards the desk."""
    port, moved = free_port(), final.startswith("200")
    target = {"name": "desk", "uri": f"sip:desk@127.0.0.1:{port}", "kind": "bridged", "leave": True}
    settings = {"transfer": {"targets": [target]}}
    with Server(tmp_path, agent="put_through", settings=settings) as server, RtpPeer() as here, RtpPeer() as there:
        values = {"rtp_port": str(here.port), "hold_ms": "50000", "final": final, "thinks_ms": TOLD}
        desk_values = {"rtp_port": str(there.port)} | ({} if moved else {"after_ms": TOLD})
        with (
            Sipp(tmp_path, "target_answers" if moved else "target_hangs_up", port=port, values=desk_values) as desk,
            Sipp(tmp_path, "uac_referred", target=server.address, values=values) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(FIRST_HZ, 60))
            there.start(media_of(desk.wait_for("INVITE").body), tone(SECOND_HZ, 60))
            refer = caller.wait_for("REFER")
            talk(here, there, 0.5)
            caller.tell()
            if not moved:
                talk(here, there, 2)
                desk.tell()
            caller.passed()
            desk.passed()
        log = server.call()
    invite_to_desk, ack = desk.received("INVITE")[0], desk.received("ACK")[0]
    to_tag, from_tag = (ack.header(name).partition("tag=")[2] for name in ("To", "From"))
    escaped = f"{invite_to_desk.header('Call-ID')};to-tag={to_tag};from-tag={from_tag}"
    assert unquote(refer.header("Refer-To")) == f"<sip:127.0.0.1:{port}?Replaces={escaped}>"
    assert refer.header("Referred-By").startswith("<sip:")
    assert log.cause == ("transferred" if moved else "callee_hangup")
    assert bool(log.all("CallerWasMoved")) is moved
    assert seconds_with(there.heard(), FIRST_HZ) >= 0.5, "they talk while the caller's side makes up its mind"
    assert seconds_with(here.heard(), SECOND_HZ) >= (0.5 if moved else 2)


def test_baresip_hands_the_agent_over_to_another_phone(tmp_path: Path, namespace: Namespace) -> None:
    settings = {"sip": {"forward_to": [f"sip:bare@{namespace.address}:*"]}}
    with (
        Server(tmp_path, namespace=namespace, settings=settings) as server,
        Baresip(tmp_path, namespace, tone(FIRST_HZ, 60)) as first,
        Baresip(tmp_path, namespace, tone(SECOND_HZ, 60)) as second,
    ):
        uri = f"sip:bare@{namespace.address}:{second.port}"
        first.do(dial(server.uri))
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, FIRST_HZ) >= 1.2)
        first.do([Step("transfer", uri), Step(wait="CALL_CLOSED")])
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, SECOND_HZ) >= 2.2)
        second.do(press("4711"))
        server.wait_happened(lambda log: "You pressed 4 7 1 1." in log.agent_said, "the agent answers the second")
        second.do(hang_up())
        log = server.call()
        caller, _agent = server.recording(log)
    assert log.one("FarEndWasReplaced")["uri"] == uri
    assert seconds_with(caller, FIRST_HZ) >= 1
    assert seconds_with(caller, SECOND_HZ) >= 2
    assert speech_seconds(second.heard()) >= 1
