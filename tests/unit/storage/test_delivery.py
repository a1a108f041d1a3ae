"""From the spool into the database while something beside the database cannot be written: nothing is lost by it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.storage.sample_call import call_id, sample_call
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallerWasSilent, CallHasEnded, ConsentWasRefused, Entry
from voicegw.storage import delivery, node_files
from voicegw.storage import writer as writer_module
from voicegw.storage.config import StoreConfig
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import Position, SpoolDirectory, SpooledFact
from voicegw.storage.writer import StoreWriter

PATIENCE_S = 20.0


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Counters:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.01)
    return Counters()


def make_writer(place: Path, counters: Counters) -> StoreWriter:
    config = StoreConfig(url=f"sqlite:///{place / 'store.sqlite'}", spool=str(place / "spool"), batch_ms=1)
    files = NodeFiles(place / "spool", tools=place / "tools.sqlite")
    return StoreWriter(config, counters, files=files)


def test_a_database_without_its_driver_is_told_at_the_start(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    config = StoreConfig(url="postgresql://nobody@127.0.0.1:1/nowhere", spool=str(tmp_path / "spool"))
    with pytest.raises(ConfigError, match="driver of PostgreSQL is missing"):
        StoreWriter(config, counters)
    assert not (tmp_path / "spool").exists()


def append(writer: StoreWriter, number: int, entries: Iterable[Entry]) -> None:
    for entry in entries:
        writer.append(call_id(number), entry)


def test_refused_facts_that_cannot_be_kept_now_are_kept_later(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looked at them as root may have left files that the server may not open."""
    add, answers = RejectedFacts.add, [PermissionError(13, "Permission denied", "rejected.lock")]

    def add_later(self: RejectedFacts, facts: Iterable[SpooledFact]) -> None:
        if answers:
            raise answers.pop()
        add(self, facts)

    monkeypatch.setattr(RejectedFacts, "add", add_later)
    writer = make_writer(tmp_path, counters)
    first = sample_call(0)
    append(writer, 0, first)
    assert writer.settle(PATIENCE_S)
    append(writer, 0, [Entry(len(first), 0.0, CallerWasSilent())])
    append(writer, 1, sample_call(1))
    assert writer.settle(PATIENCE_S), "the next call is stored"
    writer.close()
    assert [fact.seq for fact in RejectedFacts(tmp_path / "spool").read()] == [len(first)]
    assert (counters.get("store_facts_rejected"), counters.get("store_outages")) == (1, 1)
    assert counters.get("store_facts_stored") == len(first) + len(sample_call(1))


def test_a_refusal_that_cannot_be_heeded_now_is_heeded_later(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[int | LocalError] = [0, LocalError("the tool ledger: database or disk is full")]

    def erase(*_: object) -> int:
        if isinstance(answer := answers.pop(), LocalError):
            raise answer
        return answer

    monkeypatch.setattr(node_files, "erase_in_ledger", erase)
    writer = make_writer(tmp_path, counters)
    *begun, end = sample_call(0)
    assert isinstance(end.data, CallHasEnded)
    refusal = Entry(end.seq, end.at_ms, ConsentWasRefused("May we?", "no"))
    append(writer, 0, [*begun, refusal, Entry(end.seq + 1, end.at_ms, end.data)])
    append(writer, 1, sample_call(1))
    assert writer.settle(PATIENCE_S)
    writer.close()
    assert not answers
    assert counters.get("store_facts_stored") == len(begun) + 2 + len(sample_call(1))


def test_tables_of_a_newer_version_keep_facts_in_the_spool_and_no_longer(
    tmp_path: Path, counters: Counters
) -> None:
    """Where there is no API, or the store was away at the start, nobody else has asked."""
    make_writer(tmp_path, counters).close()
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as tables, tables:
        (ours,) = tables.execute("SELECT version_num FROM alembic_version").fetchone()
        tables.execute("UPDATE alembic_version SET version_num = '9999'")
    writer = make_writer(tmp_path, counters)
    append(writer, 0, sample_call(0))
    assert not writer.settle(0.3)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as tables, tables:
        tables.execute("UPDATE alembic_version SET version_num = ?", (ours,))
    assert writer.settle(PATIENCE_S)
    writer.close()


def test_segments_that_cannot_be_deleted_hold_nothing_up(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is read-only for a moment."""
    asked: list[int] = []

    def refuse(_self: SpoolDirectory, number: int) -> None:
        asked.append(number)
        raise OSError(30, "Read-only file system")

    writer = make_writer(tmp_path, counters)
    with monkeypatch.context() as read_only:
        read_only.setattr(SpoolDirectory, "delete_before", refuse)
        append(writer, 0, sample_call(0))
        assert writer.settle(PATIENCE_S)
        writer.close()
    assert len(asked) > 1
    again = make_writer(tmp_path, counters)
    assert again.settle(PATIENCE_S)
    again.close()
    assert not list((tmp_path / "spool").glob("*.spool"))


@pytest.mark.parametrize("question", ["size", "read"])
def test_a_spool_that_cannot_be_looked_at_for_a_moment_loses_nothing(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """A disk that fails for a moment (EIO), under the writer's thread and under the one that delivers."""
    faults = [OSError(5, "Input/output error")]
    honest = getattr(SpoolDirectory, question)

    def asked(directory: SpoolDirectory, *place: object) -> object:
        if faults:
            raise faults.pop()
        return honest(directory, *place)

    monkeypatch.setattr(writer_module, "_RETRY_S", 0.01)
    writer = make_writer(tmp_path, counters)
    assert writer.settle(PATIENCE_S)
    monkeypatch.setattr(SpoolDirectory, question, asked)
    append(writer, 0, sample_call(0))
    assert writer._delivery.wait_for(Position(1, 1), PATIENCE_S), (
        "without a mark: nobody waits, so it is tried again"
    )
    assert writer.settle(PATIENCE_S)
    writer.close()
    assert not faults and counters.get("store_facts_stored") == len(sample_call(0))


def test_a_fault_of_ours_costs_one_batch_and_not_all_that_come(
    tmp_path: Path, counters: Counters, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ZeroDivisionError("ours")]
    honest = StoreWriter._admitted

    def admitted(writer: StoreWriter, facts: Sequence[tuple[SpooledFact, Entry]]) -> list[bytes]:
        if faults:
            raise faults.pop()
        return honest(writer, facts)

    monkeypatch.setattr(StoreWriter, "_admitted", admitted)
    writer = make_writer(tmp_path, counters)
    append(writer, 0, sample_call(0)[:1])
    writer.flush()
    append(writer, 1, sample_call(1))
    assert writer.settle(PATIENCE_S)
    writer.close()
    assert counters.get("store_facts_dropped") == 1
    assert counters.get("store_facts_stored") == len(sample_call(1))
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
