"""A trace of one call from INVITE to BYE, in a collector that we did not write, and a log that names nobody.

A language model that looks something up answers the caller; its server, and the tool's, are told the trace.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.interop import otlp_sink
from tests.interop.chat import chat_server, words
from tests.interop.fault_server import FaultServer
from tests.interop.process import Process
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import silence, speech, speech_seconds
from voicegw.testing.faulty_llm_server import FaultyLlmServer, Script, ScriptedTool
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PATIENCE_S = 30.0
CALLED = "+4930987654321"
PIN = "159026"
HOURS = "what are your opening hours"
SCRIPTS = (
    Script(words("warm")),
    Script(words("Thank you.")),
    Script((), tools=(ScriptedTool("look_up", '{"what": "hours"}'),), finish_reason="tool_calls"),
    Script(words("We open at nine."), tools=(ScriptedTool("hang_up", "{}"),), finish_reason="tool_calls"),
    Script(words("Goodbye.")),
)
"""What the model says: to the server's start, to the keys, to the question, and to what the tool has found."""


def clerk(url: str) -> str:
    """The agent; its tool asks ``url``."""
    asked = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
    tool = {"type": "http", "name": "look_up", "description": "Look up.", "url": url, "parameters": asked}
    agent = {"kind": "llm", "name": "clerk", "models": ["local"], "greeting": "Clerk here.", "hints": [HOURS]}
    more = {"instructions": "You help.", "tools": [tool, {"type": "builtin", "builtin": "hang_up"}]}
    return yaml.safe_dump(agent | more)


@contextmanager
def shop(asked: list[str]) -> Iterator[str]:
    """The tool's web service, and where it is. ``asked`` gets the ``traceparent`` of each request."""

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["traceparent"] or "")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"open": 9}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hours"
        server.shutdown()
        thread.join()


def wait(until: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def spans_in(file: Path) -> list[dict[str, Any]]:
    text = file.read_text() if file.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    senders = [sender for line in lines for sender in line["traces"]["resourceSpans"]]
    return [span for sender in senders for scope in sender["scopeSpans"] for span in scope["spans"]]


def told(span: dict[str, Any]) -> dict[str, str]:
    """The attributes, all as texts."""
    return {pair["key"]: str(next(iter(pair["value"].values()))) for pair in span["attributes"]}


def traceparents(chat: FaultyLlmServer) -> list[str]:
    """Of each request to the model, "" where it had none."""
    found = [re.search(rb"(?im)^traceparent: (\S+)", head) for head in chat.heads]
    return [one.group(1).decode() if one else "" for one in found]


def test_a_call_by_sipp_is_one_trace_and_its_log_names_nobody(tmp_path: Path) -> None:
    port, kept, asked = free_port(), tmp_path / "traces.jsonl", list[str]()
    sink_args = [sys.executable, otlp_sink.__file__, str(port), str(kept)]
    with ExitStack() as stack:
        sink = stack.enter_context(Process(sink_args, tmp_path / "sink.log"))
        chat, url = stack.enter_context(chat_server(*SCRIPTS)), stack.enter_context(shop(asked))
        settings: dict[str, dict[str, Any]] = {
            "observability": {
                "otlp": {"url": f"http://127.0.0.1:{port}/v1/traces", "headers": {"x-house": "test"}}
            },
            "log": {"personal": "drop", "level": "debug"},
            "llm": {"servers": [{"name": "local", "base_url": chat.base_url, "model": "any"}]},
        }
        server = FaultServer(tmp_path, settings=settings)
        (tmp_path / "clerk.yaml").write_text(clerk(url))
        server.use_agent(tmp_path / "clerk.yaml")
        media = stack.enter_context(RtpPeer())
        stack.enter_context(server)
        wait(lambda: listens(port), lambda: f"the sink listens: {sink.output}")
        values = {"rtp_port": str(media.port), "hold_ms": "50000"}
        with Sipp(
            tmp_path, "uac_hung_up", target=server.address, service=CALLED, values=values, timeout_s=60
        ) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(0.1), digits=f"{PIN}#")
            server.wait_said(sipp, "Thank you.")
            media.say(np.concatenate([silence(1.0), speech(HOURS, tmp_path)]))
            sipp.passed()
        log = server.call()
        wait(lambda: bool(spans_in(kept)), lambda: f"{sink.output}\n{server.process.output}")
        output = server.process.output
    assert log.keys == f"{PIN}#" and "We open at nine." in log.agent_said
    heard, said = server.recording(log)
    assert speech_seconds(heard) > 0.5 and speech_seconds(said) > 1
    tree = Tree(spans_in(kept))
    _is_complete(tree, log.one("CallWasOffered")["call_id"])
    _has_the_turns(tree)
    assert traceparents(chat)[0] == "", "a request of no call is in no trace"
    assert traceparents(chat)[1:] == [tree.traceparent(one) for one in tree.named("chat any")]
    assert asked == [tree.traceparent(one) for one in tree.named("GET")]
    assert json.loads(kept.read_text().splitlines()[0])["headers"]["x-house"] == "test"
    assert "call offered" in output and "call ended" in output
    for personal in (CALLED, CALLED[1:], '"called"', '"calling"', "sip:sipp", PIN, HOURS):
        assert personal not in _without_times(output), personal
        assert personal not in _without_times(kept.read_text()) or personal == '"called"', personal


def _without_times(text: str) -> str:
    """Times in nanoseconds and seconds since 1970 have any four digits in them, now and then."""
    return re.sub(r"\b1[0-9]{9}(?:[0-9]{9}|\.[0-9]+)?\b", "", text)


class Tree:
    """All spans of one trace."""

    def __init__(self, spans: list[dict[str, Any]]) -> None:
        self.spans = spans
        self._ids = {span["spanId"]: span for span in spans}
        (self.trace_id,) = {span["traceId"] for span in spans}
        (self.root,) = [span for span in spans if not span.get("parentSpanId")]

    def path(self, span: dict[str, Any]) -> str:
        """The names from the root to it."""
        parent = span.get("parentSpanId")
        return f"{self.path(self._ids[parent])}/{span['name']}" if parent else str(span["name"])

    def at(self, path: str) -> list[dict[str, Any]]:
        """The spans of this path, one after the other."""
        return self._dated([span for span in self.spans if self.path(span) == path])

    def named(self, name: str) -> list[dict[str, Any]]:
        """The spans of this name, wherever they are, one after the other."""
        return self._dated([span for span in self.spans if span["name"] == name])

    def below(self, span: dict[str, Any]) -> list[str]:
        """The names from here to each of its descendants."""
        start = f"{self.path(span)}/"
        return [self.path(one).removeprefix(start) for one in self.spans if self.is_within(one, span)]

    def is_within(self, span: dict[str, Any], outer: dict[str, Any]) -> bool:
        """Whether it is a part of another one, or of a part of that."""
        return outer["spanId"] in self._line(span)

    def traceparent(self, span: dict[str, Any]) -> str:
        """What who works in this span is told (W3C Trace Context)."""
        trace_id, span_id = (base64.b64decode(span[name]).hex() for name in ("traceId", "spanId"))
        return f"00-{trace_id}-{span_id}-01"

    def _line(self, span: dict[str, Any]) -> list[str]:
        parent = span.get("parentSpanId")
        return [parent, *self._line(self._ids[parent])] if parent else []

    @staticmethod
    def _dated(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(spans, key=lambda span: int(span["startTimeUnixNano"]))


def _is_complete(tree: Tree, call_id: str) -> None:
    """One tree: the call, its leg and set-up with the transactions, greeting, turns, recording."""
    root = tree.root
    assert root["name"] == "call" and told(root)["voicegw.call.id"] == call_id
    assert told(root)["voicegw.end.cause"] == "agent_hangup" and told(root)["voicegw.sip.status_code"] == "200"
    assert tree.at("call/agent speech") and tree.at("call/recording")
    (invite,), (bye,) = tree.at("call/leg caller/set-up/INVITE"), tree.at("call/leg caller/BYE")
    assert [event["name"] for event in invite["events"]][-2:] == ["SIP 200", "ACK"]
    assert (invite["kind"], bye["kind"]) == ("SPAN_KIND_SERVER", "SPAN_KIND_CLIENT")
    assert int(invite["startTimeUnixNano"]) == int(root["startTimeUnixNano"])
    assert int(bye["startTimeUnixNano"]) > int(invite["endTimeUnixNano"])
    for span in tree.spans:
        assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
        assert int(root["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(root["endTimeUnixNano"])


def _has_the_turns(tree: Tree) -> None:
    """What was done for each turn is in it: for the keys, and from speech to speech for the question.

    Recogniser, model, tool and voice may have begun before it was sure that the caller had ended, or after.
    """
    keys, question = tree.at("call/turn")[:2]
    assert (told(keys)["voicegw.turn.by"], told(question)["voicegw.turn.by"]) == ("keys", "speech")
    assert set(tree.below(keys)) == {"chat any", "speak flite", "agent speech"}
    stages = {"caller speech", "endpointing", "asr", "agent", "tts", "playout", "agent speech"}
    assert stages <= set(tree.below(question))
    names = [path.rpartition("/")[2] for path in tree.below(question)]
    assert {"recognise pocketsphinx", "execute_tool look_up", "speak flite"} <= set(names)
    assert names.count("chat any") == 2, "one that wants the tool, one with what it found"
    assert any(path.endswith("execute_tool look_up/GET") for path in tree.below(question))
    spoken = next(one for one in tree.named("speak flite") if tree.is_within(one, question))
    assert [event["name"] for event in spoken["events"]] == ["first audio"]
