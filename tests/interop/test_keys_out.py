"""Keys that we press, as Asterisk hears them: by RFC 4733, by INFO and as tones. It says which and how long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.interop.api_desk import ApiDesk
from tests.interop.asterisk_peer import Asterisk
from tests.interop.chat import chat_server, words
from tests.interop.fault_server import FaultServer
from voicegw.testing.faulty_llm_server import Script, ScriptedTool
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PRESSED = "159D00#"
NUMBERS = {"rfc4733": "2610", "info": "2611", "inband": "2612"}
SENT_MS = {"rfc4733": (120, 120), "info": (160, 160), "inband": (90, 140)}
"""How long each key lasts; Asterisk measures tones in pieces of 13 ms."""
THINKS_S = 1.0
"""Before it presses a key: Asterisk begins to read when it has pressed its own."""
CLERK = """
kind: llm
name: {way}
models: [{way}]
greeting: Clerk here.
instructions: You press keys.
fallback: few_words
tools:
  - {{type: builtin, builtin: send_dtmf}}
"""


def dialplan() -> str:
    """Whoever calls is told two keys and a hash, and what they press is read."""
    steps = {
        number: (
            "Answer()",
            f"Set(PJSIP_DTMF_MODE()={way})",
            "Wait(1.5)",
            "SendDTMF(12#)",
            "Read(DIGITS,,,,1,8)",
            f"Verbose(1,{way} pressed ${{DIGITS}}.)",
            # By events it hangs up at the last key, which is known to have been sent all the same.
            "Hangup()" if way == "rfc4733" else "Wait(1)",
        )
        for way, number in NUMBERS.items()
    }
    lines = [
        f"exten => {number},{place},{step}\n"
        for number, whole in steps.items()
        for place, step in enumerate(whole, 1)
    ]
    return "".join(lines)


@contextmanager
def clerks(work: Path, asterisk: Asterisk, port: int) -> Iterator[tuple[FaultServer, ApiDesk]]:
    """A server with an agent and a trunk for each way: as soon as an agent is told anything, it presses keys."""
    wish = ScriptedTool("send_dtmf", f'{{"keys": "{PRESSED}"}}')
    scripts = (Script(words("warm")), Script((), tools=(wish,), first_token_s=THINKS_S), Script(words("Done.")))
    api_port = free_port()
    with ExitStack() as stack:
        chats = {way: stack.enter_context(chat_server(*scripts)) for way in NUMBERS}
        models = [{"name": way, "base_url": chat.base_url, "model": "any"} for way, chat in chats.items()]
        api = {"enabled": True, "listen_port": api_port, "key_file": "secrets.key"}
        settings = {"llm": {"servers": models}, "api": api}
        server = FaultServer(work, agent="few_words", port=port, settings=settings, expected=("did not warm up",))
        trunk = yaml.safe_load(asterisk.trunk("asterisk"))
        for way in NUMBERS:
            (server.home / "agents" / f"{way}.yaml").write_text(CLERK.format(way=way))
            # In G.722 Asterisk looks for no tones.
            codecs = {"codecs": ["PCMA"]} if way == "inband" else {}
            server.write_trunk(**trunk | codecs | {"name": way, "dtmf": way})
        stack.enter_context(server)
        yield server, stack.enter_context(ApiDesk(server, None, f"http://127.0.0.1:{api_port}"))


def test_asterisk_reads_our_keys_once_each_by_every_way_and_we_read_its(tmp_path: Path) -> None:
    asterisk = Asterisk(tmp_path, f"127.0.0.1:{(port := free_port())}", dialplan=dialplan())
    with asterisk, clerks(tmp_path, asterisk, port) as (server, desk):
        for way, number in NUMBERS.items():
            desk.post("/v1/calls", {"to": number, "agent": way, "trunk": way}, 202)
        logs = {log.one("CallWasOffered")["called"]: log for log in server.calls(len(NUMBERS))}
        told = asterisk.process.output
    for way, number in NUMBERS.items():
        assert logs[number].keys == "12#", way
        assert [fact["digits"] for fact in logs[number].all("KeysWereSent")] == [PRESSED], way
        assert re.search(rf"{way} pressed {PRESSED.rstrip('#')}\.$", told, re.MULTILINE), told
        channel = re.search(rf"\[{number}@from-voicegw:1\] Answer\(\"([^\"]+)\"", _plain(told))
        assert channel, told
        heard = re.findall(rf"DTMF end '(.)' received on {channel.group(1)}, duration (\d+) ms", told)
        assert "".join(key for key, _ in heard) == PRESSED, way
        least, most = SENT_MS[way]
        assert all(least <= int(duration_ms) <= most for _, duration_ms in heard), (way, heard)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)
