"""The spool on disk: what is read back, torn ends, bounds, ownership."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.storage.sample_call import call_id, sample_call
from tests.unit.storage.small_disk import largest_file
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.storage import spool
from voicegw.storage import writer as writer_module
from voicegw.storage.config import StoreConfig
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import Position, SpoolDirectory, SpooledFact, SpoolWriter, pack, unpack
from voicegw.storage.writer import StoreWriter

AWAY = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a database that does not exist."""
    monkeypatch.setattr(writer_module, "CLOSE_S", 0.0)


def fact(seq: int, size: int = 10) -> SpooledFact:
    return SpooledFact("c1", seq, "Fact", 1000 + seq, b"s" * 32, b"x" * size)


def read_all(directory: SpoolDirectory, until: Position, limit: int = 3) -> list[SpooledFact]:
    found: list[SpooledFact] = []
    at = Position(0, 0)
    while at < until:
        facts, at = directory.read(at, until, limit)
        found += facts
    return found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=5), st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_record_ends_the_reading_and_nothing_before_it_is_lost(
    sizes: list[int], at: int, value: int
) -> None:
    facts = [fact(seq, size) for seq, size in enumerate(sizes)]
    data = bytearray(b"".join(map(pack, facts)))
    if at < len(data):
        data[at] ^= value
    found = [one for one, _offset in unpack(bytes(data))]
    assert found == facts[: len(found)]
    behind = 0
    for one in facts:
        behind += len(pack(one))
        assert at < behind or one in found


def test_what_was_written_is_read_in_order_over_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SEGMENT_BYTES", 200)
    directory = SpoolDirectory(tmp_path)
    writer = SpoolWriter(directory)
    for seq in range(10):
        writer.write([pack(fact(seq))])
    assert len(directory.segments()) > 2
    assert read_all(directory, writer.end) == [fact(seq) for seq in range(10)]
    directory.delete_before(writer.end.segment)
    assert directory.segments() == [writer.end.segment]
    writer.close()
    directory.close()


def test_a_torn_end_hides_nothing_of_the_next_process(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    first = SpoolWriter(directory)
    first.write([pack(fact(0))])
    first.close()
    with directory.segment(first.end.segment).open("ab") as file:
        file.write(pack(fact(1))[:-3])
    second = SpoolWriter(directory)
    second.write([pack(fact(2))])
    assert read_all(directory, second.end) == [fact(0), fact(2)]
    second.close()
    directory.close()


def test_a_spool_belongs_to_one_process_and_keeps_its_name(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    with pytest.raises(LocalError, match="another process"):
        SpoolDirectory(tmp_path)
    directory.close()
    again = SpoolDirectory(tmp_path)
    assert again.node == directory.node
    again.close()


def test_a_disk_that_takes_a_part_of_a_batch_has_taken_none_of_it(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    writer = SpoolWriter(directory)
    writer.write([pack(fact(0, 1000))])
    with largest_file(2000), pytest.raises(OSError, match="too large"):
        writer.write([pack(fact(1, 1000)), pack(fact(2, 1000))])
    assert writer.end.segment == 2, "what is in the first segment now, nobody knows"
    writer.write([pack(fact(1, 1000)), pack(fact(2, 1000))])
    writer.write([pack(fact(3))])
    assert [one.seq for one in read_all(directory, writer.end)] == [0, 1, 2, 3]
    writer.close()
    directory.close()


def test_a_disk_that_fails_as_a_segment_is_closed_takes_nothing_back(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    writer = SpoolWriter(directory)
    writer.write([pack(fact(0))])
    assert writer._file is not None
    os.close(writer._file.fileno())  # so that closing it is an error
    writer.close()
    writer.write([pack(fact(1))])
    assert [one.seq for one in read_all(directory, writer.end)] == [0, 1]
    writer.close()
    directory.close()


def test_refused_facts_that_found_room_in_part_hide_none_of_the_later_ones(tmp_path: Path) -> None:
    rejected = RejectedFacts(tmp_path)
    rejected.add([fact(0, 1000)])
    with largest_file(1500), pytest.raises(OSError, match="too large"):
        rejected.add([fact(1, 1000)])
    rejected.add([fact(1, 1000)])
    assert rejected.read() == (fact(0, 1000), fact(1, 1000))


def test_a_name_that_could_not_be_written_is_made_at_the_next_start(tmp_path: Path) -> None:
    with largest_file(0), pytest.raises(LocalError, match="cannot be used"):
        SpoolDirectory(tmp_path)
    directory = SpoolDirectory(tmp_path)
    assert directory.node
    directory.close()
    (tmp_path / "node").write_bytes(b"")  # what an earlier version left there
    again = SpoolDirectory(tmp_path)
    assert again.node
    again.close()


def test_a_full_spool_drops_the_newest_and_keeps_the_ends_of_calls(tmp_path: Path) -> None:
    counters = Counters()
    config = StoreConfig(url=AWAY, spool=str(tmp_path), spool_mb=1, batch_ms=1)
    writer = StoreWriter(config, counters)
    entries = sample_call(said="x" * 100_000, turns=20)
    for entry in entries:
        writer.append(call_id(), entry)
    writer.flush()
    writer.close()
    directory = SpoolDirectory(tmp_path)
    kept = [one.seq for one in read_all(directory, Position(9, 0), 100)]
    directory.close()
    assert counters.get("store_spool_full") == len(entries) - len(kept) > 0
    assert kept[:5] == [0, 1, 2, 3, 4]
    assert kept[-1] == entries[-1].seq


def test_a_disk_that_fails_costs_the_facts_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: SpoolWriter, _records: list[bytes]) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(SpoolWriter, "write", broken)
    counters = Counters()
    writer = StoreWriter(StoreConfig(url=AWAY, spool=str(tmp_path), batch_ms=1), counters)
    for entry in sample_call():
        writer.append(call_id(), entry)
    writer.flush()
    writer.close()
    assert counters.get("store_facts_dropped") == len(sample_call())
    assert counters.get("store_spool_errors") >= 1
