"""The writer of packet captures: order, limits, a full queue, a torn end, seals. The threads are waited for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tests.unit.pcap_file import read_pcap
from voicegw.base.ids import CallId
from voicegw.ports.capture import CaptureBegun, CapturedPacket, CaptureOver
from voicegw.recording.capture_writer import CaptureWriter
from voicegw.recording.quota import DiskQuota
from voicegw.recording.recovery import recover_partial
from voicegw.recording.seal_format import Content
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey
from voicegw.recording.seal_reader import open_recording
from voicegw.recording.seal_writer import SealedPart

CALL = CallId("c1")
HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.9", 5000)


def packet(at_us: int, data: bytes = b"x" * 172) -> CapturedPacket:
    return CapturedPacket(at_us, HERE, THERE, data, len(data))


def captured(
    writer: CaptureWriter, path: Path, packets: Iterable[CapturedPacket] = (), max_bytes: int = 10**6
) -> CaptureOver:
    """How a capture of these ended."""
    assert writer.start(CALL, str(path), max_bytes, 60.0)
    for one in packets:
        writer.add(CALL, one)
    writer.stop(CALL)
    writer.close()
    *_, over = writer.poll()
    assert isinstance(over, CaptureOver) and over.wish == str(path)
    return over


def test_packets_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    writer, path = CaptureWriter(wall=lambda: 0.0), tmp_path / "c1-1.pcap"
    over = captured(writer, path, [packet(at) for at in (3, 1, 2)])
    assert (over.path, over.packets, over.dropped) == (str(path), 3, 0) and over.size == path.stat().st_size
    assert [one.at_us for one in read_pcap(path)] == [1, 2, 3]
    assert not list(tmp_path.glob("*.part"))


def test_a_capture_grows_no_larger_than_it_may(tmp_path: Path) -> None:
    writer, path = CaptureWriter(), tmp_path / "c1-1.pcap"
    over = captured(writer, path, [packet(at) for at in range(50)], 2000)
    assert over.size <= 2000 < over.size + 216 and len(read_pcap(path)) == over.packets == 9
    assert "large" in over.reason


def test_what_finds_no_room_is_dropped_and_counted(tmp_path: Path) -> None:
    writer = CaptureWriter(queue_bytes=10 * 372, drain_interval_s=1e6)
    over = captured(writer, tmp_path / "c1-1.pcap", [packet(1)] * 15)
    assert over.packets == 10 and over.dropped == 5


def test_a_full_disk_refuses_it(tmp_path: Path) -> None:
    writer = CaptureWriter(quota=DiskQuota(keep_free_mb=10**9))
    over = captured(writer, tmp_path / "c1-1.pcap")
    assert over.path == "" and "MB left" in over.reason and not list(tmp_path.iterdir())


def test_another_one_of_the_same_call_begins_while_the_first_is_removed(tmp_path: Path) -> None:
    writer = CaptureWriter()
    first, second = str(tmp_path / "c1-1.pcap"), str(tmp_path / "c1-2.pcap")
    assert writer.start(CALL, first, 10**6, 60.0) and not writer.start(CALL, second, 10**6, 60.0)
    writer.add(CALL, packet(1))
    writer.stop(CALL, discard=True)
    assert writer.start(CALL, second, 10**6, 60.0)
    writer.add(CALL, packet(2))
    writer.close()
    reports = writer.poll()
    assert [(type(one), one.path) for one in reports] == [
        *((CaptureBegun, first), (CaptureOver, "")),
        *((CaptureBegun, second), (CaptureOver, second)),
    ]
    assert [one.at_us for one in read_pcap(tmp_path / "c1-2.pcap")] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["c1-2.pcap"]


def test_what_a_killed_worker_left_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "c1-1.pcap"
    writer = CaptureWriter()
    captured(writer, path, [packet(at) for at in (1, 2)])
    whole = path.read_bytes()
    path.unlink()
    (tmp_path / "c1-1.pcap.part").write_bytes(whole[:-5])
    assert recover_partial(str(tmp_path)) == [str(path)]
    assert [one.at_us for one in read_pcap(path)] == [1]


def test_a_sealed_capture_reads_as_it_was_written(tmp_path: Path) -> None:
    key = SealPrivateKey.generate()
    writer = CaptureWriter(open_part=lambda path: SealedPart(path, [key.public_key()], 8000, Content.PCAP))
    noise = os.urandom(400)
    over = captured(writer, tmp_path / "c1-1.pcap", [packet(at, noise) for at in range(40)])
    assert over.path.endswith(".pcap.sealed") and noise not in Path(over.path).read_bytes()
    reader = open_recording(Path(over.path), KeyRing([key]))
    found = read_pcap(reader.read(0, reader.size))
    reader.close()
    assert [one.at_us for one in found] == list(range(40)) and {one.payload for one in found} == {noise}
