"""The call log on a real disk, and on one that is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallerWasSilent, ConsentWasRefused, Entry, KeyWasPressed
from voicegw.storage import event_log
from voicegw.storage.event_log import EventLog, log_of, read_log

C1 = CallId("c1")


def test_facts_come_back_in_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path, Counters())
    entries = [Entry(0, 0.0, KeyWasPressed("5")), Entry(1, 20.0, CallerWasSilent())]
    for entry in entries:
        log.append(C1, entry)
    log.finish(C1)
    log.close()
    assert list(read_log(log_of(tmp_path, C1))) == entries


def test_what_no_encoding_or_no_json_has_ends_no_log(tmp_path: Path) -> None:
    """The first comes by JSON from elsewhere: half of a surrogate pair. The second would be a fault of ours."""
    counters = Counters()
    log = EventLog(tmp_path, counters)
    odd = KeyWasPressed(object())  # type: ignore[arg-type]
    for seq, fact in enumerate((KeyWasPressed("a\ud83d"), odd, KeyWasPressed("7"))):
        log.append(C1, Entry(seq, 0.0, fact))
    log.finish(C1)
    log.close()
    read = [entry.data for entry in read_log(log_of(tmp_path, C1))]
    assert read == [KeyWasPressed("a\ufffd"), KeyWasPressed("7")]
    assert counters.get("event_log_write_errors") == 1


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path, Counters())
    log.append(C1, Entry(0, 0.0, KeyWasPressed("5")))
    log.close()
    with log_of(tmp_path, C1).open("ab") as file:
        file.write(b'{"seq":1,"at_ms":')
    assert len(list(read_log(log_of(tmp_path, C1)))) == 1


def test_logs_end_where_they_began_and_calls_without_one_begin_none_midway(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    log = EventLog(None, Counters())
    facts = [Entry(seq, 0.0, KeyWasPressed(str(seq))) for seq in range(3)]
    calls = {name: CallId(name) for name in ("before", "first", "second", "none")}
    log.append(calls["before"], facts[0])
    log.use(old)
    log.append(calls["before"], facts[1])
    log.append(calls["first"], facts[0])
    log.use(new)
    log.append(calls["second"], facts[0])
    refused = Entry(1, 0.0, ConsentWasRefused("May we?", "no"))
    log.append(calls["first"], refused)
    log.use(None)
    for name, fact in (("first", facts[2]), ("second", facts[1]), ("none", facts[0])):
        log.append(calls[name], fact)
    for call_id in calls.values():
        log.finish(call_id)
    log.close()
    assert sorted(path.name for path in (*old.iterdir(), *new.iterdir())) == ["first.jsonl", "second.jsonl"]
    assert list(read_log(log_of(old, calls["first"]))) == [refused, facts[2]], (
        "of before the refusal nothing is left"
    )
    assert list(read_log(log_of(new, calls["second"]))) == facts[:2]


def test_a_disk_that_has_stopped_costs_lines_and_keeps_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "MAX_QUEUED_LINES", 2)
    counters, stopped = Counters(), log_of(tmp_path, CallId("stopped"))
    log = EventLog(tmp_path, counters)
    log.append(C1, Entry(0, 0.0, KeyWasPressed("5")))
    log.flush()
    os.mkfifo(stopped)  # the thread waits in open() until somebody reads
    for seq in range(6):
        log.append(CallId("stopped"), Entry(seq, 0.0, KeyWasPressed("6")))
    log.append(C1, Entry(1, 0.0, KeyWasPressed("7")))
    log.finish(C1)
    with stopped.open("rb"):
        log.flush()
    assert counters.get("event_log_lines_dropped") > 3
    assert log_of(tmp_path, C1).resolve() not in open_files()
    log.close()


def open_files() -> set[Path]:
    return {path.resolve() for path in Path("/proc/self/fd").iterdir()}


def test_a_disk_that_refuses_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    counters = Counters()
    log = EventLog(tmp_path, counters)
    log_of(tmp_path, C1).symlink_to("/dev/full")
    log.append(C1, Entry(0, 0.0, KeyWasPressed("5")))
    log.append(CallId("c2"), Entry(0, 0.0, KeyWasPressed("6")))
    log.close()
    assert counters.get("event_log_write_errors") == 1
    assert len(list(read_log(log_of(tmp_path, CallId("c2"))))) == 1
