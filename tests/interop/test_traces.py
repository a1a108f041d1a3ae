"""A trace of one call from INVITE to BYE, in a collector that we did not write, and a log that names nobody."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop import otlp_sink
from tests.interop.pcap import write_dtmf_pcap
from tests.interop.process import Process
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PATIENCE_S = 30.0
CALLED = "+4930987654321"


def wait(until: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def spans_in(file: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    senders = [sender for line in lines for sender in line["traces"]["resourceSpans"]]
    return [span for sender in senders for scope in sender["scopeSpans"] for span in scope["spans"]]


def told(span: dict[str, Any]) -> dict[str, str]:
    """The attributes, all as texts."""
    return {pair["key"]: str(next(iter(pair["value"].values()))) for pair in span["attributes"]}


def test_a_call_by_sipp_is_one_trace_and_its_log_names_nobody(tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "traces.jsonl"
    settings = {
        "observability": {"otlp": {"url": f"http://127.0.0.1:{port}/v1/traces", "headers": {"x-house": "test"}}},
        "log": {"personal": "drop", "level": "debug"},
    }
    pcap = write_dtmf_pcap(tmp_path / "keys.pcap", "1590")
    values = {"pcap": str(pcap), "before_ms": "4000", "after_ms": "4000"}
    sink_args = [sys.executable, otlp_sink.__file__, str(port), str(kept)]
    with (
        Process(sink_args, tmp_path / "sink.log") as sink,
        Server(tmp_path, settings=settings) as server,
    ):
        wait(lambda: listens(port), lambda: f"the sink listens: {sink.output}")
        with Sipp(tmp_path, "uac_dtmf", target=server.address, service=CALLED, values=values) as sipp:
            sipp.passed()
        log = server.call()
        wait(lambda: bool(spans_in(kept)), lambda: f"{sink.output}\n{server.process.output}")
        output = server.process.output
    assert log.keys == "1590" and speech_seconds(server.recording(log)[1]) >= 1.5
    _is_complete(spans_in(kept), log.one("CallWasOffered")["call_id"])
    assert json.loads(kept.read_text().splitlines()[0])["headers"]["x-house"] == "test"
    assert "call offered" in output and "call ended" in output
    for personal in (CALLED, CALLED[1:], '"called"', '"calling"', "sip:sipp", "1590"):
        assert personal not in output, personal
        assert personal not in kept.read_text() or personal == '"called"', personal


def _is_complete(spans: list[dict[str, Any]], call_id: str) -> None:
    """One tree: the call, its leg and set-up with the transactions, greeting, turn, recording."""
    ids = {span["spanId"]: span for span in spans}
    assert len({span["traceId"] for span in spans}) == 1
    (root,) = [span for span in spans if not span.get("parentSpanId")]
    assert root["name"] == "call" and told(root)["voicegw.call.id"] == call_id
    assert told(root)["voicegw.end.cause"] == "caller_hangup" and told(root)["voicegw.sip.status_code"] == "200"

    def path(span: dict[str, Any]) -> str:
        parent = span.get("parentSpanId")
        return f"{path(ids[parent])}/{span['name']}" if parent else str(span["name"])

    paths = [path(span) for span in spans]
    for wanted in (
        "call/leg caller/set-up/INVITE",
        "call/leg caller/BYE",
        "call/agent speech",
        "call/turn/agent speech",
        "call/recording",
    ):
        assert wanted in paths, paths
    invite = spans[paths.index("call/leg caller/set-up/INVITE")]
    assert [event["name"] for event in invite["events"]][-2:] == ["SIP 200", "ACK"]
    assert invite["kind"] == "SPAN_KIND_SERVER"
    bye = spans[paths.index("call/leg caller/BYE")]
    assert int(invite["startTimeUnixNano"]) == int(root["startTimeUnixNano"])
    assert int(bye["startTimeUnixNano"]) > int(invite["endTimeUnixNano"])
    for span in spans:
        assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
        assert int(root["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(root["endTimeUnixNano"])
