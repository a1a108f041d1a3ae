"""Sealed recordings: what is written can be read at any position, and nothing else can be made of the file."""

from __future__ import annotations

import io
import os
import random
import signal
import stat
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import CallId
from voicegw.recording import seal_files
from voicegw.recording.recovery import recover_partial, remove_recording
from voicegw.recording.seal_format import (
    CHUNK_BYTES,
    TAG_BYTES,
    SealDamaged,
    SealError,
    SealKeyMissing,
    parse_header,
)
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey, read_key_ring, read_public_keys, write_key_pair
from voicegw.recording.seal_reader import PlainReader, SealedReader, open_recording
from voicegw.recording.seal_writer import SealedWavFile
from voicegw.recording.wav_file import StereoWavFile
from voicegw.recording.writer import Discarded, Ended, Failed, RecordingWriter, Started

KEY = SealPrivateKey.generate()
OTHER = SealPrivateKey.generate()
KEYS = KeyRing([KEY])
CALL = CallId("c1")
HOUR_S = 3600.0
FULL = CHUNK_BYTES + TAG_BYTES


def sides(samples: int) -> tuple[bytes, bytes]:
    return tuple(random.Random(side).randbytes(2 * samples) for side in (1, 2))  # type: ignore[return-value]


def plain_wav(folder: Path, samples: int) -> Path:
    """The same sound as :func:`sealed` makes, by the writer of plain files."""
    file = StereoWavFile(str(folder / "plain.wav"))
    file.append(*sides(samples))
    file.finish(sync=False)
    return Path(file.path)


def sealed(
    folder: Path, samples: int, *, name: str = "call.wav", keys: tuple[SealPrivateKey, ...] = (KEY,)
) -> Path:
    file = SealedWavFile(str(folder / name), [key.public_key() for key in keys])
    left, right = sides(samples)
    for start in range(0, len(left), 4000):  # as the recorder does: in blocks that fit no chunk
        file.append(left[start : start + 4000], right[start : start + 4000])
    assert file.samples == samples
    file.finish(sync=False)
    return Path(file.path)


def read_all(path: Path, keys: KeyRing = KEYS) -> bytes:
    reader = open_recording(path, keys)
    try:
        return reader.read(0, reader.size)
    finally:
        reader.close()


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("samples", [0, 1, 4095, 4096, 4097, 8192, 20_000])
def test_a_sealed_recording_is_the_wav_that_a_plain_one_would_be(tmp_path: Path, samples: int) -> None:
    path = sealed(tmp_path, samples)
    assert path.name == "call.wav.sealed" and stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    assert read_all(path) == plain_wav(tmp_path, samples).read_bytes()
    reader = SealedReader(path, KEYS)
    assert reader.complete
    reader.close()


def test_nothing_of_the_sound_is_in_the_file(tmp_path: Path) -> None:
    path, plain = sealed(tmp_path, 20_000), plain_wav(tmp_path, 20_000).read_bytes()
    data = path.read_bytes()
    assert not any(plain[at : at + 16] in data for at in range(44, len(plain) - 16, 997))


@given(offset=st.integers(-5, 90_000), length=st.integers(-5, 90_000))
@settings(max_examples=60, deadline=None)
def test_any_range_is_the_same_range_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "ranges"
    if not folder.exists():
        folder.mkdir()
        sealed(folder, 20_000)
        plain_wav(folder, 20_000)
    whole = (folder / "plain.wav").read_bytes()
    reader = SealedReader(folder / "call.wav.sealed", KEYS)
    expected = whole[offset : offset + max(length, 0)] if offset >= 0 else b""
    assert reader.size == len(whole) and reader.read(offset, length) == expected
    reader.close()


def test_a_range_opens_only_the_chunks_it_needs(tmp_path: Path) -> None:
    path = sealed(tmp_path, 20_000)
    data = bytearray(path.read_bytes())
    data[parse_header(bytes(data)).size + FULL + 5] ^= 1
    path.write_bytes(data)
    reader = SealedReader(path, KEYS)
    assert len(reader.read(0, 44 + CHUNK_BYTES)) == 44 + CHUNK_BYTES
    assert len(reader.read(44 + 2 * CHUNK_BYTES, 10)) == 10
    with pytest.raises(SealDamaged, match="chunk 1"):
        reader.read(44 + CHUNK_BYTES, 1)
    reader.close()


def test_plain_recordings_are_read_the_same_way(tmp_path: Path) -> None:
    path = plain_wav(tmp_path, 300)
    reader = open_recording(path, KEYS)
    assert isinstance(reader, PlainReader) and reader.complete and reader.size == path.stat().st_size
    assert reader.read(44, 8) == path.read_bytes()[44:52]
    reader.close()
    with pytest.raises(LocalError, match="No such file"):
        open_recording(tmp_path / "absent", KEYS)


# ---------------------------------------------------------------- tampering


def chunks(path: Path) -> tuple[bytes, list[bytes]]:
    data = path.read_bytes()
    start = parse_header(data).size
    return data[:start], [data[at : at + FULL] for at in range(start, len(data), FULL)]


def test_chunks_cannot_be_removed_repeated_exchanged_or_cut_off_unseen(tmp_path: Path) -> None:
    path = sealed(tmp_path, 20_000)
    head, parts = chunks(path)
    assert len(parts) == 5
    changed = {
        "removed": [parts[0], *parts[2:]],
        "repeated": [parts[0], parts[0], *parts[1:]],
        "exchanged": [parts[1], parts[0], *parts[2:]],
        "first removed": parts[1:],
        "end moved": [*parts[:2], parts[4]],
    }
    for how, order in changed.items():
        path.write_bytes(head + b"".join(order))
        reader = SealedReader(path, KEYS)
        if how == "end moved":
            assert not reader.complete and reader.size == 44 + 2 * CHUNK_BYTES
        else:
            with pytest.raises(SealDamaged):
                reader.read(0, reader.size)
        reader.close()
    for kept in range(5):
        path.write_bytes(head + b"".join(parts[:kept]))
        reader = SealedReader(path, KEYS)
        assert not reader.complete and reader.size == 44 + kept * CHUNK_BYTES
        reader.close()


def test_chunks_of_another_recording_do_not_fit(tmp_path: Path) -> None:
    first, second = sealed(tmp_path, 9000), sealed(tmp_path, 9000, name="other.wav")
    head, parts = chunks(first)
    first.write_bytes(head + chunks(second)[1][0] + b"".join(parts[1:]))
    with pytest.raises(SealDamaged):
        read_all(first)
    first.write_bytes(chunks(second)[0] + b"".join(parts))
    with pytest.raises(SealDamaged):
        read_all(first)


@given(at=st.integers(0, 1211), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_no_bit_of_the_header_can_be_changed(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "bits"
    if not folder.exists():
        folder.mkdir()
        sealed(folder, 5000)
    data = bytearray((folder / "call.wav.sealed").read_bytes())
    data[at] ^= 1 << bit
    changed = folder / "changed"
    changed.write_bytes(data)
    if at < 8:  # no longer a sealed recording at all
        with pytest.raises(SealDamaged):
            SealedReader(changed, KEYS)
        return
    with pytest.raises(SealError):
        read_all(changed)


def test_only_a_recipient_opens_it(tmp_path: Path) -> None:
    path = sealed(tmp_path, 100, keys=(KEY, OTHER))
    assert read_all(path) == read_all(path, KeyRing([OTHER])) == read_all(path, KeyRing([OTHER, KEY]))
    with pytest.raises(SealKeyMissing, match=KEY.public_key().key_id.hex()):
        read_all(path, KeyRing([SealPrivateKey.generate()]))
    with pytest.raises(SealError):
        SealedWavFile(str(tmp_path / "none.wav"), [])


# ---------------------------------------------------------------- keys


def test_keys_in_files(tmp_path: Path) -> None:
    private, public = tmp_path / "a.key", tmp_path / "a.pub"
    write_key_pair(KEY, private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert read_public_keys([str(public)])[0].to_bytes() == KEY.public_key().to_bytes()
    found = read_key_ring([str(private)])
    assert len(found) == 1 and found.get(KEY.public_key().key_id) is not None
    with pytest.raises(LocalError, match="File exists"):
        write_key_pair(OTHER, private, public)
    private.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        read_key_ring([str(private)])


@pytest.mark.parametrize(
    "text",
    ["", "hello\n", "voicegw-seal-public-1 AAAA\n", "voicegw-seal-public-1 *\n", "a b\nc d\n", "\u00fc"],
)
def test_files_that_are_no_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="key"):
        read_public_keys([str(path)])
    with pytest.raises(ConfigError):
        read_key_ring([str(path)])
    with pytest.raises(ConfigError):
        read_public_keys([str(tmp_path / "absent")])


# ---------------------------------------------------------------- rotation, sealing later, removing


def test_rewrapping_gives_it_to_other_keys_and_leaves_the_sound(tmp_path: Path) -> None:
    path = sealed(tmp_path, 9000)
    before, body = read_all(path), chunks(path)[1]
    seal_files.rewrap(path, KEYS, [OTHER.public_key(), KEY.public_key()])
    assert read_all(path, KeyRing([OTHER])) == read_all(path) == before
    seal_files.rewrap(path, KEYS, [OTHER.public_key()])
    assert read_all(path, KeyRing([OTHER])) == before and chunks(path)[1] == body
    with pytest.raises(SealKeyMissing):
        read_all(path)
    with pytest.raises(SealKeyMissing):
        seal_files.rewrap(path, KEYS, [KEY.public_key()])


@pytest.mark.parametrize("samples", [0, 4096, 20_000])
def test_a_plain_recording_is_sealed_read_back_and_removed(tmp_path: Path, samples: int) -> None:
    plain = plain_wav(tmp_path, samples)
    content = plain.read_bytes()
    path = seal_files.seal_recording(plain, [KEY.public_key()])
    assert not plain.exists() and sorted(tmp_path.iterdir()) == [path]
    assert read_all(path) == content


def test_what_is_no_recording_is_left_alone(tmp_path: Path) -> None:
    for name, content in (("a.wav", b"RIFF"), ("b.wav", plain_wav(tmp_path, 10).read_bytes()[:-1])):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(LocalError):
            seal_files.seal_recording(path, [KEY.public_key()])
        assert path.read_bytes() == content


def test_if_it_cannot_be_read_back_the_plain_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plain_wav(tmp_path, 5000)
    monkeypatch.setattr(SealedReader, "read", lambda *_: b"something else")
    with pytest.raises(LocalError, match="is kept"):
        seal_files.seal_recording(plain, [KEY.public_key()])
    assert plain.exists()


def test_removing_overwrites_the_data_key_first(tmp_path: Path) -> None:
    path = sealed(tmp_path, 5000)
    twin = tmp_path / "twin"
    os.link(path, twin)  # as a copy of the same blocks
    remove_recording(path)
    assert not path.exists()
    with pytest.raises(SealDamaged):
        SealedReader(twin, KEYS)
    plain = plain_wav(tmp_path, 10)
    remove_recording(plain)
    assert not plain.exists()


# ---------------------------------------------------------------- with the writer


def writer_of(**options: object) -> RecordingWriter:
    public = [KEY.public_key()]
    return RecordingWriter(
        drain_interval_s=HOUR_S, open_file=lambda path, rate: SealedWavFile(path, public, rate), **options
    )  # type: ignore[arg-type]


def block(value: int, samples: int = 160) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.full(samples, value, np.int16)


def test_the_recorder_seals_as_it_records(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    writer = writer_of(queue_blocks=60)
    writer.start(CALL, path)
    for number in range(100):
        writer.write(CALL, block(number), block(-number))
    writer.close()
    assert writer.poll() == [Started(CALL, path + ".sealed"), Ended(CALL, path + ".sealed", 16000, 41 * 160)]
    with wave.open(io.BytesIO(read_all(Path(path + ".sealed")))) as file:
        assert file.getnframes() == 16000


def test_a_recording_that_is_not_wanted_leaves_nothing(tmp_path: Path) -> None:
    for writer in (writer_of(), RecordingWriter(drain_interval_s=HOUR_S)):
        writer.start(CALL, str(tmp_path / "call.wav"))
        writer.write(CALL, block(1, 9000), block(1, 9000))
        writer.stop(CALL, discard=True)
        writer.write(CALL, block(1), block(1))
        writer.close()
        assert [type(event) for event in writer.poll()] == [Started, Discarded]
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """The limit on file sizes stands in for a disk: it refuses in the middle of a chunk."""
    program = f"""
import resource, signal, sys
from pathlib import Path
import numpy as np
from voicegw.recording.seal_keys import read_public_keys
from voicegw.recording.seal_writer import SealedWavFile
from voicegw.recording.writer import RecordingWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
keys = read_public_keys([{str(tmp_path / "a.pub")!r}])
writer = RecordingWriter(drain_interval_s=3600.0, open_file=lambda path, rate: SealedWavFile(path, keys, rate))
writer.start("c1", {str(tmp_path / "call.wav")!r})
for _ in range(200):
    writer.write("c1", np.full(160, 7, np.int16), np.full(160, 8, np.int16))
writer.close()
sys.stdout.write(type(writer.poll()[-1]).__name__)
"""
    write_key_pair(KEY, tmp_path / "a.key", tmp_path / "a.pub")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == Failed.__name__
    reader = SealedReader(tmp_path / "call.wav.sealed", KEYS)
    assert reader.complete and reader.size == 44 + 3 * CHUNK_BYTES
    assert set(reader.read(44, reader.size)[::2]) == {7, 8}
    reader.close()


KILLED = """
import sys, time
import numpy as np
from voicegw.recording.seal_keys import read_public_keys
from voicegw.recording.seal_writer import SealedWavFile
from voicegw.recording.writer import RecordingWriter
keys = read_public_keys([sys.argv[1]])
writer = RecordingWriter(drain_interval_s=3600.0, open_file=lambda path, rate: SealedWavFile(path, keys, rate))
writer.start("c1", sys.argv[2])
for _ in range(100):
    writer.write("c1", np.full(160, 7, np.int16), np.full(160, 8, np.int16))
writer._drain()
sys.stdout.write("x")
sys.stdout.flush()
time.sleep(60)
"""


def test_kill_minus_nine_leaves_what_can_be_read_up_to_the_last_chunk(tmp_path: Path) -> None:
    write_key_pair(KEY, tmp_path / "a.key", tmp_path / "a.pub")
    folder = tmp_path / "recordings"
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "a.pub"), str(folder / "call.wav")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.read(1) == b"x"
        assert recover_partial(str(folder)) == []  # its writer lives: hands off
        process.send_signal(signal.SIGKILL)
    with (folder / "call.wav.sealed.part").open("ab") as file:
        file.write(b"half a chunk")
    final = folder / "call.wav.sealed"
    assert recover_partial(str(folder)) == [str(final)]
    reader = SealedReader(final, KEYS)
    assert not reader.complete and reader.size == 44 + 3 * CHUNK_BYTES  # of 64000 bytes
    assert reader.read(44, 4) == bytes([7, 0, 8, 0])
    reader.close()


def test_a_sealed_part_without_sound_is_removed(tmp_path: Path) -> None:
    file = SealedWavFile(str(tmp_path / "call.wav"), [KEY.public_key()])
    file.append(bytes(100), bytes(100))
    file.abandon()
    (tmp_path / "odd.sealed.part").write_bytes(b"VGWSEAL1" + bytes(40))
    assert recover_partial(str(tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["odd.sealed.part"]
