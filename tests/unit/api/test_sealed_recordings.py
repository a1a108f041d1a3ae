"""Recordings for the API, sealed and plain, by range."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicegw.api.recordings import NoRecording
from voicegw.api.sealed_recordings import SealedRecordings
from voicegw.recording.seal_format import parse_header
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey
from voicegw.recording.seal_writer import SealedWavFile
from voicegw.recording.wav_file import StereoWavFile

KEY = SealPrivateKey.generate()


def recordings(folder: Path, keys: KeyRing) -> tuple[SealedRecordings, Path, Path]:
    """The same sound twice, sealed and plain."""
    folder = folder / "recordings"
    sealed, plain = SealedWavFile(str(folder / "a.wav"), [KEY.public_key()]), StereoWavFile(str(folder / "b.wav"))
    for file in (sealed, plain):
        file.append(bytes(range(250)) * 80, bytes(20_000))
        file.finish(sync=False)
    return SealedRecordings(folder, keys), Path(sealed.path), Path(plain.path)


async def read(store: SealedRecordings, path: Path, start: int, length: int) -> bytes:
    return b"".join([piece async for piece in store.read(str(path), start, length)])


def test_a_range_of_either_kind_is_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        store, sealed, plain = recordings(tmp_path, KeyRing([KEY]))
        assert await store.size(str(sealed)) == await store.size(str(plain)) == 40_044
        for start, length in ((0, 40_044), (0, 10), (16_400, 20_000), (40_000, 44), (40_044, 5)):
            assert await read(store, sealed, start, length) == await read(store, plain, start, length)

    asyncio.run(story())


def test_without_the_key_or_outside_of_the_directory_there_is_no_recording(tmp_path: Path) -> None:
    async def story() -> None:
        store, sealed, plain = recordings(tmp_path, KeyRing())
        assert await store.size(str(plain)) == 40_044
        (tmp_path / "secret").write_bytes(b"RIFF")
        for path in (sealed, tmp_path / "secret", Path("../secret"), Path("absent.wav")):
            with pytest.raises(NoRecording):
                await store.size(str(path))
        store.use(KeyRing([KEY]))
        assert await store.size(str(sealed)) == 40_044

    asyncio.run(story())


def test_those_of_before_are_read_where_they_are(tmp_path: Path) -> None:
    async def story() -> None:
        store, sealed, plain = recordings(tmp_path, KeyRing([KEY]))
        newer = tmp_path / "elsewhere" / "c.wav"
        newer.parent.mkdir()
        newer.write_bytes(plain.read_bytes())
        with pytest.raises(NoRecording):
            await store.size(str(newer))
        store.move(newer.parent)
        for path in (sealed, plain, newer, Path("b.wav"), Path("c.wav")):
            assert await store.size(str(path)) == 40_044
        with pytest.raises(NoRecording):
            await store.size(str(tmp_path / "elsewhere" / ".." / "d.wav"))
        moved = SealedRecordings(newer.parent, KeyRing())
        with pytest.raises(NoRecording):
            await moved.size(str(plain))
        newer.rename(newer.with_name("b.wav"))
        assert await moved.size(str(plain)) == 40_044, "somebody has moved it"
        nowhere = SealedRecordings(None, KeyRing())
        with pytest.raises(NoRecording):
            await nowhere.size(str(plain))

    asyncio.run(story())


def test_a_damaged_one_ends_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        store, sealed, _plain = recordings(tmp_path, KeyRing([KEY]))
        data = bytearray(sealed.read_bytes())
        data[parse_header(bytes(data)).size + 20_000] ^= 1
        sealed.write_bytes(data)
        assert await read(store, sealed, 0, 40_044) == b""
        assert "a recording is damaged" in caplog.text

    asyncio.run(story())
