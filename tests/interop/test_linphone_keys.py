"""Linphone with Opus alone, whose keys have its clock (RFC 4733 §2.1), and then with another codec."""

from __future__ import annotations

import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.linphone_peer import Linphone, read_as_telephone
from tests.interop.namespace import Namespace
from tests.interop.process import Process
from tests.interop.sound import RATE_HZ, seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

HZ = 1700
CHAT_PORT = 8091
ANSWER, OURS = "I have pressed it, and I am very glad that I was allowed to do so.", "5"
LATE = 2 * RATE_HZ
STREAMS = r"Media streams established with \S+ for call \d+ \(audio\)"
CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You press keys.
fallback: few_words
tools:
  - {type: builtin, builtin: send_dtmf}
"""


def test_keys_have_the_clock_of_opus_and_then_that_of_another_codec(tmp_path: Path, namespace: Namespace) -> None:
    """When it takes the call back it wants A-law, and its keys have the number that Opus had before."""
    model = {"name": "local", "base_url": f"http://127.0.0.1:{CHAT_PORT}/v1", "model": "any"}
    server = FaultServer(tmp_path, agent="few_words", namespace=namespace, settings={"llm": {"servers": [model]}})
    (flow := tmp_path / "clerk.yaml").write_text(CLERK)
    server.use_agent(flow)
    talk = [sys.executable, "-m", "tests.interop.chat_process", str(CHAT_PORT), ANSWER, OURS]
    with (
        Process(talk, tmp_path / "chat.log", namespace=namespace, cwd=Path(__file__).parents[2]) as chat,
        ExitStack() as stack,
    ):
        chat.wait_listening(CHAT_PORT)  # the server's warming up is its first request
        stack.enter_context(server)
        phone = stack.enter_context(Linphone(tmp_path, namespace, tone(HZ, 40)))
        use_only(phone, "opus")
        phone.do(f"call {server.uri}", STREAMS)
        server.wait_happened(lambda log: "Clerk here." in log.agent_said, "the agent greets")
        press(phone, "7#")
        phone.wait_for("Receiving tone")
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, HZ) >= 2.2)
        phone.do("pause", "is now paused")
        use_only(phone, "PCMA")
        before = server.recorded_samples
        phone.do("resume", STREAMS)
        press(phone, "8#")
        server.wait_recorded(
            lambda caller, agent: seconds_with(caller[before:], HZ) >= 1.2 and speech_seconds(agent[before:]) >= 1
        )
        phone.do("terminate", "ended")
        phone.quit()
        log = server.call()
    assert log.keys == "7#8#"
    assert [fact["digits"] for fact in log.all("KeysWereSent")] == [OURS]
    assert re.findall(r"Receiving tone (.)", phone.screen) == [OURS]
    theirs = [text for text in phone.descriptions() if "o=linphone " in text]
    assert "97 telephone-event/48000" in theirs[0] and "96 opus/48000/2" in theirs[0]
    assert "96 telephone-event/8000" in theirs[-1] and "RTP/AVP 8 96" in theirs[-1]
    assert log.one("MediaWasMeasured")["packets_rejected"] <= 6, "two of STUN before each of its three streams"
    caller, agent = read_as_telephone(Path(log.one("RecordingHasEnded")["path"]))
    assert seconds_with(caller, HZ) >= 3 and seconds_with(caller[before:], HZ) >= 1
    assert speech_seconds(agent[before:]) >= 0.5 and speech_seconds(phone.heard()[-LATE:]) >= 0.5


def use_only(phone: Linphone, codec: str) -> None:
    """In what it describes from now on."""
    phone.do("codec disable all")
    phone.do("codec list", r"18: L16")
    number = re.findall(rf"(\d+): {codec} ", phone.screen)[-1]
    phone.do(f"codec enable {number}", rf"{codec} \(\d+\) enabled")


def press(phone: Linphone, keys: str) -> None:
    """One after the other."""
    for key in keys:
        phone.do(key)
        time.sleep(0.3)
