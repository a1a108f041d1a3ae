"""The ground floor: framing, tables, causes, errors, ids, logs."""

from __future__ import annotations

import json
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegw.base.causes import HangupCause
from voicegw.base.errors import (
    ConfigError,
    LocalError,
    ProviderError,
    RemoteError,
    RemoteProtocolError,
    VoicegwError,
)
from voicegw.base.fsm import IllegalTransition, TransitionTable
from voicegw.base.ids import token
from voicegw.base.log import JsonFormatter, TextFormatter, call_id_var
from voicegw.base.messages import MAX_FRAME_BYTES, FrameDecoder, frame
from voicegw.base.metrics import Counters


@given(st.lists(st.binary(max_size=50), max_size=10), st.integers(1, 20))
def test_frames_survive_any_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    decoder = FrameDecoder()
    out: list[bytes] = []
    for start in range(0, len(stream), step):
        out += decoder.feed(stream[start : start + step])
    assert out == payloads


def test_an_absurd_length_is_refused() -> None:
    with pytest.raises(LocalError):
        FrameDecoder().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


def test_a_table_is_strict() -> None:
    table: TransitionTable[str, str] = TransitionTable("t", {("a", "go"): "b"})
    assert table.next("a", "go") == "b"
    assert not table.accepts("b", "go")
    with pytest.raises(IllegalTransition, match="no transition for go in b"):
        table.next("b", "go")


def test_every_cause_has_a_valid_status_and_a_reason_header() -> None:
    names = [cause.value.name for cause in HangupCause]
    assert len(names) == len(set(names))
    for cause in HangupCause:
        assert cause.value.sip_status == 200 or 300 <= cause.value.sip_status < 700
        assert 1 <= cause.value.q850 <= 127
        assert cause.reason_header == f'Q.850;cause={cause.value.q850};text="{cause.value.text}"'


def test_errors_say_whose_fault_where_and_what_to_do() -> None:
    error = ConfigError("unknown key 'foo'", file="a.yaml", line=3, fix="remove it")
    assert str(error) == "a.yaml:3: unknown key 'foo'\n    fix: remove it"
    assert RemoteProtocolError("x").status_hint == 400
    assert ProviderError("asr", "gone", retryable=True).retryable
    for kind in (LocalError, RemoteError, ProviderError, ConfigError):
        assert issubclass(kind, VoicegwError)


def test_tokens_are_safe_in_names_and_differ() -> None:
    source = random.Random(1).randbytes
    first, second = token(source), token(source)
    assert first != second
    assert first.isalnum()
    assert len(token(source, 16)) == 16


def test_counters_count() -> None:
    counters = Counters()
    counters.add("a")
    counters.add("a", 2)
    assert counters.get("a") == 3
    assert counters.get("b") == 0
    assert counters.snapshot() == {"a": 3}


def _record(**extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"msg": "hello %s", "args": ("you",), "levelname": "INFO", "name": "x"})
    record.__dict__.update(extra)
    return record


def test_logs_carry_the_call_id_and_the_extra_fields() -> None:
    mark = call_id_var.set("c42")
    try:
        entry = json.loads(JsonFormatter().format(_record(port=5060)))
        line = TextFormatter().format(_record(port=5060))
    finally:
        call_id_var.reset(mark)
    assert (entry["msg"], entry["call_id"], entry["port"]) == ("hello you", "c42", 5060)
    assert "[c42]" in line
    assert line.endswith("port=5060")
