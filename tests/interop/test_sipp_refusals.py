"""sipp asks for what cannot be had: each refusal is the right one, and none of them disturbs the next caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PLAIN = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 4000 RTP/AVP 0"""
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
    values = {"method": method, "to_tag": to_tag, "status": status}
    with Sipp(tmp_path, "refused_request", target=busy_server.address, values=values) as sipp:
        sipp.passed()
    answer = sipp.received(f"SIP/2.0 {status}")[0]
    if status in ("405", "501"):
        assert "INVITE" in answer.header("Allow")


def test_options(busy_server: Server, tmp_path: Path) -> None:
    for scenario in ("options", "options_in_dialog"):
        with Sipp(tmp_path, scenario, target=busy_server.address) as sipp:
            sipp.passed()
