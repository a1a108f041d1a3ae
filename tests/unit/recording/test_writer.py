"""The thread looks only when the writer is closed here (an interval of an hour), so that every test is exact."""

from __future__ import annotations

import io
import os
import resource
import signal
import stat
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.recording.recovery import recover_partial
from voicegw.recording.writer import Ended, Failed, RecordingWriter, Started

CALL = CallId("c1")
HOUR_S = 3600.0


def block(value: int, samples: int = 160) -> NDArray[np.int16]:
    return np.full(samples, value, np.int16)


def read(path: Path) -> NDArray[np.int16]:
    """Both by our parser and by the standard library's, which trusts the header."""
    audio = wav.parse(path.read_bytes())
    with wave.open(io.BytesIO(path.read_bytes())) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 2, len(audio.samples))
    return audio.samples


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes only 64 kB: a file system of its own where we may mount one, else the process's limit."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True, timeout=30)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_two_sides_in_order_under_the_final_name(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "call.wav"
    writer = RecordingWriter(drain_interval_s=HOUR_S)
    assert writer.start(CALL, str(path))
    for number in range(10):
        assert writer.write(CALL, block(number), block(-number))
    writer.stop(CALL)
    writer.close()
    assert writer.poll() == [Started(CALL, str(path)), Ended(CALL, str(path), 1600, 0)]
    assert writer.poll() == []
    expected = np.repeat(np.arange(10), 160)
    assert np.array_equal(read(path), np.stack([expected, -expected], axis=1))
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_close_ends_what_still_records_and_calls_do_not_mix(tmp_path: Path) -> None:
    writer = RecordingWriter(drain_interval_s=HOUR_S, sync=False)
    for number in range(20):
        writer.start(CallId(str(number)), str(tmp_path / f"{number}.wav"))
    for _ in range(3):
        for number in range(20):
            writer.write(CallId(str(number)), block(number), block(100 + number))
    writer.close()
    assert sum(isinstance(event, Ended) for event in writer.poll()) == 20
    for number in range(20):
        assert np.unique(read(tmp_path / f"{number}.wav"), axis=0).tolist() == [[number, 100 + number]]


def test_a_full_queue_drops_counts_and_leaves_silence_of_the_same_length(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = RecordingWriter(queue_blocks=4, drain_interval_s=HOUR_S)
    writer.start(CALL, str(path))
    taken = [writer.write(CALL, block(7), block(8)) for _ in range(10)]
    assert taken == [True] * 3 + [False] * 7  # the start command has a place in the queue too
    writer.close()
    assert writer.poll()[-1] == Ended(CALL, str(path), 1600, 1120)
    sides = read(path)
    assert (sides[:480] == [7, 8]).all() and not sides[480:].any()


def test_silence_stands_where_the_samples_were_lost(tmp_path: Path) -> None:
    """The gap is noted with the next block that is taken: driven without the thread, drain by drain."""
    path = tmp_path / "a.wav"
    writer = RecordingWriter(queue_blocks=2, drain_interval_s=HOUR_S)
    writer.start(CALL, str(path))
    writer._drain()
    for value in (1, 2, 3, 4, 5):
        writer.write(CALL, block(value), block(value))
        if value == 4:
            writer._drain()
    writer.close()
    heard = read(path)[::160, 0].tolist()
    assert heard == [1, 2, 0, 0, 5]
    assert writer.poll()[-1] == Ended(CALL, str(path), 800, 320)


def test_time_without_a_block_is_silence_also_at_the_end(tmp_path: Path) -> None:
    writer = RecordingWriter(drain_interval_s=HOUR_S)
    writer.skip(CALL, 7)  # nothing is recorded yet
    writer.start(CALL, str(tmp_path / "call.wav"))
    writer.write(CALL, block(1), block(2))
    writer.skip(CALL, 320)
    writer.write(CALL, block(3), block(4))
    writer.skip(CALL, 80)
    writer.close()
    assert writer.poll()[-1] == Ended(CALL, str(tmp_path / "call.wav"), 720, 400)
    assert read(tmp_path / "call.wav")[:, 0].tolist() == [1] * 160 + [0] * 320 + [3] * 160 + [0] * 80


def test_the_file_is_a_valid_wav_while_it_grows(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "a.wav"
    writer = RecordingWriter(drain_interval_s=HOUR_S, monotonic=lambda: now[0])
    writer.start(CALL, str(path))
    writer._drain()
    for second in range(1, 4):
        now[0] += 1.0
        writer.write(CALL, block(second), block(second))
        writer._drain()
        with wave.open(str(path) + ".part") as file:
            assert file.getnframes() == 160 * second
    assert not path.exists()
    writer.close()


def test_a_full_disk_fails_the_recording_keeps_what_was_written_and_spares_the_rest(full_disk: Path) -> None:
    writer = RecordingWriter(drain_interval_s=HOUR_S)
    writer.start(CALL, str(full_disk / "a.wav"))
    for _ in range(20):
        assert writer.write(CALL, block(1, 1600), block(2, 1600))
        writer._drain()
    started, failed = writer.poll()
    assert isinstance(started, Started) and isinstance(failed, Failed)
    assert "space" in failed.reason or "large" in failed.reason
    assert writer.write(CALL, block(1), block(2))  # the tick goes on as if nothing had happened
    writer.stop(CALL)
    writer.close()
    assert writer.poll() == [] and len(writer._queue) == 0
    kept = read(full_disk / "a.wav")
    assert len(kept) >= 1600 and (kept == [1, 2]).all()


def test_no_space_at_all_and_no_permission_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.wav.part").symlink_to("/dev/full")
    (tmp_path / "file").write_text("in the way")
    writer = RecordingWriter(drain_interval_s=HOUR_S)
    writer.start(CallId("full"), str(tmp_path / "a.wav"))
    writer.start(CallId("path"), str(tmp_path / "file" / "b.wav"))
    writer.start(CallId("nul"), "a\0b.wav")
    writer.close()
    reasons = {event.call_id: event.reason for event in writer.poll() if isinstance(event, Failed)}
    assert reasons["full"] == "No space left on device"
    assert reasons["path"].startswith(("File exists", "Not a directory"))
    assert "null" in reasons["nul"]


def test_wrong_use_is_refused_and_unknown_calls_are_ignored(tmp_path: Path) -> None:
    writer = RecordingWriter(drain_interval_s=HOUR_S)
    assert writer.start(CALL, str(tmp_path / "a.wav"))
    assert not writer.start(CALL, str(tmp_path / "b.wav"))
    with pytest.raises(LocalError, match="samples"):
        writer.write(CALL, block(1), block(1, 80))
    assert writer.write(CallId("other"), block(1), block(1))
    writer.stop(CallId("other"))
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


_CHILD = """
import sys, numpy as np
from voicegw.base.ids import CallId
from voicegw.recording.writer import RecordingWriter
writer = RecordingWriter(drain_interval_s=3600.0)
writer.start(CallId("c"), sys.argv[1])
for value in range(1, 6):
    writer.write(CallId("c"), np.full(160, value, np.int16), np.full(160, -value, np.int16))
writer._drain()
print("written", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_recovered(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "a.wav"
    command = [sys.executable, "-c", _CHILD, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None and child.stdout.readline() == b"written\n"
        assert recover_partial(str(tmp_path)) == []  # its writer lives: hands off
        child.send_signal(signal.SIGKILL)
    with (path.parent / "a.wav.part").open("ab") as part:
        part.write(b"\x01\x02\x03")  # a block torn by the kill
    assert recover_partial(str(tmp_path)) == [str(path)]
    assert read(path)[::160].tolist() == [[value, -value] for value in range(1, 6)]
    assert recover_partial(str(tmp_path)) == []


def test_recovery_leaves_other_files_alone_and_replaces_nothing(tmp_path: Path) -> None:
    ours = wav.make(8000, np.ones((160, 2), np.int16))
    (tmp_path / "a.wav").write_bytes(b"finished")
    (tmp_path / "a.wav.part").write_bytes(ours)
    (tmp_path / "empty.wav.part").write_bytes(wav.header(8000, 2, 0))
    (tmp_path / "foreign.wav.part").write_bytes(b"something else")
    assert recover_partial(str(tmp_path)) == [str(tmp_path / "a.recovered-1.wav")]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.recovered-1.wav", "a.wav", "foreign.wav.part"]
    assert (tmp_path / "a.wav").read_bytes() == b"finished"
    assert recover_partial(str(tmp_path / "absent")) == []


def test_a_long_gap_of_silence_is_written_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = RecordingWriter(queue_blocks=0, drain_interval_s=HOUR_S, sync=False)
    writer.start(CALL, str(path))
    assert not writer.write(CALL, block(1, 100_000), block(1, 100_000))
    writer.close()
    assert read(path).shape == (100_000, 2) and not read(path).any()
