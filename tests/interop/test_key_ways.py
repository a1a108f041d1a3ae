"""Keys by the way that a trunk has set: a model presses what the caller asked it to, by INFO and as tones.

sipp is the trunk and offers telephone events each time; the audio is that of the tests' own RTP peer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.interop.chat import chat_server, words
from tests.interop.fault_server import FaultServer
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answer, answered, expect, invite, request, script, sdp, until_told
from tests.interop.sound import Samples, seconds_with, silence, speech_seconds, tone
from voicegw.audio.tones import DtmfDetector, dtmf
from voicegw.testing.faulty_llm_server import Script, ScriptedTool

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You press keys.
fallback: echo_keys
tools:
  - {type: builtin, builtin: send_dtmf}
"""
PRESSED = "59#A"
WISH = ScriptedTool("send_dtmf", f'{{"keys": "{PRESSED}"}}')
RELAY = "application/dtmf-relay"
DONE = "I have pressed them all."


@contextmanager
def clerk(work: Path, dtmf_way: str) -> Iterator[FaultServer]:
    """A server whose agent presses keys on a trunk at this machine, whose ``dtmf`` is set so."""
    scripts = (Script(words("warm")), Script((), tools=(WISH,)), Script(words(DONE)))
    with chat_server(*scripts) as chat:
        settings = {"llm": {"servers": [{"name": "local", "base_url": chat.base_url, "model": "any"}]}}
        server = FaultServer(work, settings=settings, expected=("did not warm up",))
        flow = work / "clerk.yaml"
        flow.write_text(CLERK)
        server.use_agent(flow)
        server.write_trunk("pbx", allowed_addresses=["127.0.0.1"], dtmf=dtmf_way)
        with server:
            yield server


def keys_in(heard: Samples) -> list[tuple[str, int]]:
    """The keys in the audio, and how many ms each of them sounded."""
    detector, row = DtmfDetector(1), np.zeros(1, np.intp)
    frames = heard[: len(heard) // 160 * 160].reshape(-1, 1, 160)
    return [(press.digit, press.duration_ms) for frame in frames for press in detector.process(row, frame)]


def _without_events(description: str) -> str:
    lines = [
        line for line in description.splitlines(keepends=True) if not line.startswith(("a=rtpmap:101", "a=fmtp"))
    ]
    return "".join(lines).replace("RTP/AVP 0 101", "RTP/AVP 0")


def test_keys_by_info_go_in_order_each_after_the_answer_to_the_last(tmp_path: Path) -> None:
    with clerk(tmp_path, "info") as server, RtpPeer() as media:
        pressing = [
            request("INFO", cseq, body=f"Signal={key}\nDuration=160\n", kind=RELAY) + expect(200)
            for cseq, key in enumerate("12#", 2)
        ]
        steps = [
            invite(1, sdp(media.port)) + answered() + until_told(),
            *pressing,
            *((expect("INFO") + answer("200 OK")) for _ in PRESSED),
            until_told() + request("BYE", 5) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 2.5))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 1.2)
            sipp.tell()
            server.wait_said(sipp, DONE)
            sipp.tell()
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
        said = sipp.messages
    assert "telephone-event" not in sipp.final_answers()[0].body
    assert log.keys == "12#"
    assert [fact["digits"] for fact in log.all("KeysWereSent")] == [PRESSED]
    infos = sipp.distinct("INFO")
    assert [info.body.split()[:2] for info in infos] == [[f"Signal={key}", "Duration=160"] for key in PRESSED]
    numbers = [int(info.header("CSeq").split()[0]) for info in infos]
    assert numbers == sorted(set(numbers))
    for earlier, later in pairwise(infos):
        between = set(said[said.index(earlier) + 1 : said.index(later)]) - {earlier}  # either may be repeated
        assert [seen.start_line for seen in between] == ["SIP/2.0 200 OK"]
    assert keys_in(media.heard()) == []
    assert seconds_with(caller, 1000) >= 1
    assert speech_seconds(media.heard()) >= 1


@pytest.mark.parametrize("way", ["inband", "auto"])
def test_keys_are_tones_both_ways_where_it_is_set_and_where_there_are_no_events(tmp_path: Path, way: str) -> None:
    with clerk(tmp_path, way) as server, RtpPeer() as media:
        offer = sdp(media.port) if way == "inband" else _without_events(sdp(media.port))
        info = request("INFO", 2, body="Signal=7\n", kind=RELAY) + expect(200) if way == "inband" else ""
        steps = [invite(1, offer) + answered() + info + until_told() + request("BYE", 3) + expect(200)]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            typed = np.concatenate([silence(2.0), dtmf("12#", 90, 90)])
            media.start(("127.0.0.1", sipp.answered_port()), typed)
            server.wait_said(sipp, DONE)
            sipp.tell()
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    assert "telephone-event" not in sipp.final_answers()[0].body
    assert log.keys == "12#", "what comes by INFO is not counted here"
    pressed = keys_in(media.heard())
    assert "".join(key for key, _ in pressed) == PRESSED
    assert all(100 <= duration <= 140 for _, duration in pressed), pressed
    assert [key for key, _ in keys_in(caller)] == list("12#")
    assert speech_seconds(media.heard()) >= 1
