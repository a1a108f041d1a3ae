"""Two people who were put through to one another and have to end: both hear why, then both phones are rung off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.interop.baresip_peer import Baresip, Step, dial
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import silence, speech_seconds
from voicegw.cli.main import main
from voicegw.runtime.house_texts import HouseTexts
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

RUNG_OFF = Step(wait="CALL_CLOSED", within_s=40)
WORDS = HouseTexts().of("en-US")


def test_two_phones_whose_talk_lasts_too_long_hear_so(tmp_path: Path, namespace: Namespace) -> None:
    with (
        Baresip(tmp_path, namespace, silence(40)) as target,
        Baresip(tmp_path, namespace, silence(40)) as caller,
    ):
        known = {"name": "desk", "uri": f"sip:bare@{namespace.address}:{target.port}"}
        settings = {"transfer": {"targets": [known]}, "call": {"max_bridged_s": 4.0}}
        with (
            Server(tmp_path, agent="put_through", namespace=namespace, settings=settings) as server,
            ThreadPoolExecutor(1) as desk,
        ):
            rung_off = desk.submit(target.do, [RUNG_OFF])
            caller.do([*dial(server.uri), RUNG_OFF])
            rung_off.result(60)
            log = server.call()
    assert log.all("CallerWasConnected")
    assert log.cause == "call_too_long"
    assert log.all("AgentSpoke")[-1]["heard"] == WORDS.too_long
    told = speech_seconds(target.heard())
    assert told >= 1, "the caller was silent all the time"
    assert speech_seconds(caller.heard()) >= told + 0.5, "the caller was greeted as well"


def test_caller_and_desk_of_a_server_that_stops_hear_so_while_they_talk(tmp_path: Path) -> None:
    port = free_port()
    section = {"targets": [{"name": "desk", "uri": f"sip:desk@127.0.0.1:{port}"}]}
    with (
        Server(tmp_path, agent="put_through", settings={"transfer": section}) as server,
        RtpPeer() as here,
        RtpPeer() as there,
    ):
        caller_media = {"rtp_port": str(here.port), "hold_ms": "30000"}
        with (
            Sipp(tmp_path, "target_answers", port=port, values={"rtp_port": str(there.port)}) as target,
            Sipp(tmp_path, "uac_hung_up", target=server.address, values=caller_media) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), silence(60))
            line = next(line for line in target.wait_for("INVITE").body.splitlines() if line.startswith("m=audio"))
            there.start(("127.0.0.1", int(line.split()[1])), silence(60))
            target.wait_for("ACK")
            before = len(here.heard())
            assert main(["drain", "-c", str(server.configuration), "--deadline", "0"]) == 0
            byes = target.wait_for("BYE"), caller.wait_for("BYE")
            caller.passed()
            target.passed()
    log = server.call()
    assert log.cause == "draining"
    assert log.all("AgentSpoke")[-1]["heard"] == WORDS.draining
    for bye in byes:
        assert bye.header("Reason")
    assert speech_seconds(there.heard()) >= 1, "the caller was silent all the time"
    assert speech_seconds(here.heard()[before:]) >= 1
