"""A language model speaks over real SIP and RTP, is interrupted, and dies in the middle of the call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.chat import chat_server, words
from tests.interop.fault_server import FaultServer
from tests.interop.server import FLOWS
from voicegw.testing.faulty_llm_server import Fault, Script

pytestmark = pytest.mark.interop

CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You repeat keys.
fallback: echo_keys
"""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_model_talks_is_interrupted_and_is_replaced_by_the_script_when_it_dies(tmp_path: Path) -> None:
    scripts = (
        Script(words("warm")),
        Script(words("You pressed one two. " + "And this goes on for quite a while and longer still. " * 3)),
        Script(words("All right, I stopped.")),
        Script(fault=Fault.HANG_UP),
    )
    with chat_server(*scripts) as chat:
        settings = {"llm": {"servers": [{"name": "local", "base_url": chat.base_url, "model": "any"}]}}
        expected = ("did not warm up", "asked again", "language model")
        server = FaultServer(tmp_path, settings=settings, expected=expected)
        clerk = tmp_path / "clerk.yaml"
        clerk.write_text(CLERK)
        server.use_agent(clerk)
        assert (server.home / "agents" / "echo_keys.yaml").read_text() == (FLOWS / "echo_keys.yaml").read_text()
        with server, server.phone() as phone:
            assert phone.dial() == 200
            server.wait_said(phone, "Clerk here.")
            phone.press("12#")
            server.wait_said(phone, "You pressed one two.")
            phone.press("3#")
            server.wait_said(phone, "All right, I stopped.")
            (cut,) = [fact for fact in server.log_of(phone).all("AgentSpoke") if fact["interrupted"]]
            assert cut["text"].startswith(cut["heard"])
            told = [message["content"] for message in json.loads(chat.requests[2])["messages"]]
            assert told[-2].endswith("…")
            assert told[-2].count("longer still") < 3
            phone.press("4#")
            server.wait_said(phone, "Please press four keys.")
            phone.press("4711")
            server.wait_said(phone, "You pressed 4 7 1 1.")
            phone.hang_up()
            assert server.wait_ended(phone).cause == "caller_hangup"
