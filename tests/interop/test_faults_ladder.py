"""An LLM agent over real SIP and RTP that loses its model and its voice: prompts, a keypad menu, the last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.fault_server import TTS, FaultServer
from tests.interop.test_llm_call import chat_server, words
from voicegw.testing.faulty_llm_server import Fault, Script

pytestmark = pytest.mark.interop

CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You repeat keys.
limits: {no_input_ms: 20000}
ladder:
  menu:
    prompt: Press one for our address.
    keys: {"1": {say: We are at the river.}, "2": {message: Thank you for your call. Goodbye.}}
"""
MENU = "Press one for our address."
LAST = "Thank you for your call."


def prompts_of(server: FaultServer) -> list[Path]:
    return sorted((server.home / "var" / "cache" / "prompts").glob("*.prompt"))


def wait_for_prompts(server: FaultServer, *texts: str) -> None:
    """Until each of these is on disk."""

    def there() -> bool:
        kept = [path.read_bytes() for path in prompts_of(server)]
        return all(any(text.encode() in data for data in kept) for text in texts)

    server.wait(there, 60.0, f"prompts {texts}")


def clerk(tmp_path: Path, base_url: str) -> FaultServer:
    settings = {
        "llm": {"servers": [{"name": "local", "base_url": base_url, "model": "any"}]},
        "paths": {"cache": "var/cache"},
    }
    server = FaultServer(tmp_path, settings=settings, expected=("did not warm up", "language model", "worker"))
    agent = tmp_path / "clerk.yaml"
    agent.write_text(CLERK)
    server.use_agent(agent)
    (server.home / "agents" / "echo_keys.yaml").unlink()
    return server


@pytest.mark.long
def test_model_and_voice_die_and_the_menu_is_heard_all_the_same_and_prompts_outlive_the_server(
    tmp_path: Path,
) -> None:
    scripts = (Script(words("warm")), Script(words("You pressed one.")), Script(fault=Fault.DIE))
    with chat_server(*scripts) as chat:
        server = clerk(tmp_path, chat.base_url)
        with server, server.phone() as phone:
            wait_for_prompts(server, MENU, "We are at the river.", LAST, "Goodbye.")
            assert phone.dial() == 200
            server.wait_said(phone, "Clerk here.")
            phone.press("1#")
            server.wait_said(phone, "You pressed one.")
            server.kill_workers(TTS)
            phone.press("2#")
            server.wait_said(phone, MENU)
            server.wait(lambda: bool(server.workers(TTS)), 30, "another voice")
            server.kill_workers(TTS)
            phone.press("1")
            server.wait_said(phone, "We are at the river.")
            server.wait_said(phone, MENU, count=2)
            phone.press("2")
            log = server.wait_ended(phone)
            assert log.agent_said.endswith("Thank you for your call. Goodbye.")
            assert log.cause == "agent_hangup"
            (moved,) = log.all("ServiceHasMoved")
            assert moved["to"] == "menu"
        counters, made = server.counters, len(prompts_of(server))
        assert counters["tts_from_prompts"] >= 6
        assert counters["ladder_menu"] == 1
        assert counters["flite_worker_died"] == 2
        with server, server.phone() as phone:
            assert phone.dial() == 200
            server.wait_said(phone, "Clerk here.")
    assert server.counters["prompts_loaded"] == made
    assert server.counters["tts_from_prompts"] == 1
    # What the first server had not made yet when it lost its voice is made now; nothing is made twice.
    assert server.counters.get("prompts_made", 0) == len(prompts_of(server)) - made
