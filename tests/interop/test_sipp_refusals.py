"""sipp asks for what cannot be had: each refusal is the right one, and none of them disturbs the next caller."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PLAIN = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 4000 RTP/AVP 0"""
HERE = "sip:[service]@[remote_ip]:[remote_port]"
USUAL = {"headers": "", "body": PLAIN, "content_type": "application/sdp", "max_forwards": "70"}


@pytest.mark.parametrize(
    ("status", "values"),
    [
        pytest.param("488", {"body": PLAIN.replace("AVP 0", "AVP 3")}, id="only GSM offered"),
        pytest.param("488", {"body": PLAIN.replace("m=audio", "m=video")}, id="no audio offered"),
        pytest.param("400", {"body": "v=0\nthis is no session description"}, id="no SDP"),
        pytest.param("488", {"body": PLAIN.replace("4000", "99999")}, id="impossible media port"),
        pytest.param("415", {"content_type": "text/plain", "body": "hello"}, id="not SDP"),
        pytest.param("420", {"headers": "\nRequire: clairvoyance"}, id="unknown extension"),
        pytest.param("483", {"max_forwards": "0"}, id="no hop left"),
    ],
)
def test_invite_that_cannot_be_served(
    busy_server: Server, tmp_path: Path, status: str, values: dict[str, str]
) -> None:
    invite = {**USUAL, **values, "status": status}
    with Sipp(tmp_path, "refused_invite", target=busy_server.address, values=invite) as sipp:
        sipp.passed()
    with Sipp(tmp_path, "-sn uac", target=busy_server.address) as sipp:
        sipp.passed()


def test_420_names_what_is_unknown(busy_server: Server, tmp_path: Path) -> None:
    invite = {**USUAL, "headers": "\nRequire: clairvoyance, 100rel", "status": "420"}
    with Sipp(tmp_path, "refused_invite", target=busy_server.address, values=invite) as sipp:
        sipp.passed()
    assert "clairvoyance" in sipp.received("SIP/2.0 420")[0].header("Unsupported")


@pytest.mark.parametrize(
    ("method", "to_tag", "status"),
    [("FLY", "", "501"), ("REGISTER", "", "405"), ("BYE", ";tag=nobody", "481"), ("INFO", ";tag=nobody", "481")],
)
def test_request_without_a_call(busy_server: Server, tmp_path: Path, method: str, to_tag: str, status: str) -> None:
    values = {"start": f"{method} {HERE} SIP/2.0", "method": method, "to_tag": to_tag, "status": status}
    with Sipp(tmp_path, "refused_request", target=busy_server.address, values=values) as sipp:
        sipp.passed()
    answer = sipp.received(f"SIP/2.0 {status}")[0]
    if status in ("405", "501"):
        assert "INVITE" in answer.header("Allow")


@pytest.mark.parametrize(
    ("start", "status"),
    [("OPTIONS mailto:demo@voice.test SIP/2.0", "416"), (f"OPTIONS {HERE} SIP/3.0", "505")],
    ids=["another scheme", "another version"],
)
def test_what_is_no_request_to_us(busy_server: Server, tmp_path: Path, start: str, status: str) -> None:
    values = {"start": start, "method": "OPTIONS", "to_tag": "", "status": status}
    with Sipp(tmp_path, "refused_request", target=busy_server.address, values=values) as sipp:
        sipp.passed()


def test_an_invite_that_comes_by_two_paths_is_one_call(busy_server: Server, tmp_path: Path) -> None:
    """The second path gets 482 (RFC 3261 §8.2.2.2); the call of the first one has its sound both ways."""
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac_merged", target=busy_server.address, service="merged", values=values) as sipp:
            media.start((busy_server.host, sipp.answered_port()), tone(1000, 3))
            busy_server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 2)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1)
            sipp.tell()
            sipp.passed()
        log = busy_server.called("merged")
    caller, _agent = busy_server.recording(log)
    assert seconds_with(caller, 1000) >= 2
    assert speech_seconds(media.heard()) >= 1


def test_sipsak_gets_an_answer_to_its_ping(busy_server: Server) -> None:
    """By UDP and TCP; it counts every other answer than 200 as a failure."""
    for transport in ("udp", "tcp"):
        line = ["sipsak", "-vv", "-E", transport, "-s", f"sip:demo@{busy_server.address}"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SIP/2.0 200 OK" in done.stdout


def test_options(busy_server: Server, tmp_path: Path) -> None:
    for scenario in ("options", "options_in_dialog"):
        with Sipp(tmp_path, scenario, target=busy_server.address) as sipp:
            sipp.passed()
