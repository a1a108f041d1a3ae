"""The call log on a real disk, and on one that is full."""

from __future__ import annotations

from pathlib import Path

from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallerWasSilent, Entry, KeyWasPressed
from voicegw.storage.event_log import EventLog, read_log

C1 = CallId("c1")


def test_facts_come_back_in_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path, Counters())
    entries = [Entry(0, 0.0, KeyWasPressed("5")), Entry(1, 20.0, CallerWasSilent())]
    for entry in entries:
        log.append(C1, entry)
    log.finish(C1)
    log.close()
    assert list(read_log(log.path(C1))) == entries


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path, Counters())
    log.append(C1, Entry(0, 0.0, KeyWasPressed("5")))
    log.close()
    with log.path(C1).open("ab") as file:
        file.write(b'{"seq":1,"at_ms":')
    assert len(list(read_log(log.path(C1)))) == 1


def test_a_disk_that_refuses_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    counters = Counters()
    log = EventLog(tmp_path, counters)
    log.path(C1).symlink_to("/dev/full")
    log.append(C1, Entry(0, 0.0, KeyWasPressed("5")))
    log.append(CallId("c2"), Entry(0, 0.0, KeyWasPressed("6")))
    log.close()
    assert counters.get("event_log_write_errors") == 1
    assert len(list(read_log(log.path(CallId("c2"))))) == 1
