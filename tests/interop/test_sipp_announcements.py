"""sipp hears the server before its call is answered, or in place of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import speech_seconds

pytestmark = [pytest.mark.interop, pytest.mark.realtime]
CLOSED = "We are closed on Sundays and on holidays. Please call again on any other day."
NOTICE = "Calls to this number are recorded for the training of our staff. Thank you."
ROUTES = (
    {"name": "closed", "match": {"called": "closed"}, "reject": "busy", "announce": CLOSED},
    {"name": "told", "match": {"called": "told"}, "agent": "charged", "announce": NOTICE},
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("desk"), agent="charged", routes=ROUTES) as server:
        yield server


@pytest.fixture
def media() -> Iterator[RtpPeer]:
    with RtpPeer() as peer:
        yield peer


def test_what_is_said_before_the_answer_is_heard_before_it(desk: Server, media: RtpPeer, tmp_path: Path) -> None:
    before = len(desk.ended())
    values = {"rtp_port": str(media.port), "hold_ms": TOLD}
    with Sipp(tmp_path, "uac_early", target=desk.address, values=values) as sipp:
        sipp.wait_for("SIP/2.0 200", "INVITE")
        early = speech_seconds(media.heard())
        media.wait_heard(lambda heard: speech_seconds(heard) >= early + 1.5)
        sipp.tell()
        sipp.passed()
    assert early >= 3.0, "the announcement was to be heard before the 200"
    assert speech_seconds(media.heard()) >= early + 1.5
    assert not sipp.received("SIP/2.0 180")
    log = desk.calls(before + 1)[-1]
    answered = log.dated("CallWasAnswered")[0][1]
    first, second = log.all("AgentSpoke")[:2]
    assert first["ended_ms"] <= answered <= second["started_ms"]
    assert log.one("CallWasHeardEarly")["codec"] == "PCMU"


def test_a_route_announces_in_front_of_its_agent(desk: Server, media: RtpPeer, tmp_path: Path) -> None:
    before = len(desk.ended())
    values = {"rtp_port": str(media.port), "hold_ms": "1000"}
    with Sipp(tmp_path, "uac_early", target=desk.address, service="told", values=values) as sipp:
        sipp.wait_for("SIP/2.0 200", "INVITE", within_s=50)
        sipp.passed()
    log = desk.calls(before + 1)[-1]
    said = [fact["heard"] for fact in log.all("AgentSpoke")]
    assert said[0] == NOTICE, "and the agent's own announcement after it, before the answer"
    assert said[1].startswith("This call is charged")


def test_a_refusal_is_heard_and_nothing_is_answered(desk: Server, media: RtpPeer, tmp_path: Path) -> None:
    before = len(desk.ended())
    values = {"rtp_port": str(media.port), "status": "486", "cause": "17"}
    with Sipp(tmp_path, "uac_early_refused", target=desk.address, service="closed", values=values) as sipp:
        sipp.passed()
    assert speech_seconds(media.heard()) >= 3.0
    assert not sipp.received("SIP/2.0 200", "INVITE")
    log = desk.calls(before + 1)[-1]
    assert log.cause == "busy"
    assert not log.all("CallWasAnswered")
    assert log.one("AgentSpoke")["heard"] == CLOSED
    assert not log.all("RecordingHasEnded")
