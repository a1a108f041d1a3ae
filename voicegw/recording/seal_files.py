"""What is done with whole recordings: seal one that lies there in plain, give it to other keys, remove it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from voicegw.audio import wav_header
from voicegw.base.errors import LocalError
from voicegw.recording.seal_format import (
    MAX_HEADER_BYTES,
    ChunkCipher,
    Content,
    SealHeader,
    parse_header,
)
from voicegw.recording.seal_kem import wrap
from voicegw.recording.seal_keys import KeyRing, SealPublicKey
from voicegw.recording.seal_reader import SealedReader, open_header
from voicegw.recording.seal_writer import SUFFIX, make_header

_MODE: Final = 0o640
_COPY_BYTES: Final = 1 << 20
_OPUS_HEAD: Final = 28
"""Where the first packet begins: behind the header of an Ogg page with one segment (RFC 3533 §6)."""


def seal_recording(path: Path, recipients: Sequence[SealPublicKey]) -> Path:
    """Seal a finished recording, read it back, and only then remove the plain file; returns the new path.

    A crash in between leaves the plain file, the sealed one or both. Raises LocalError, also for a file that is
    neither a WAV of 16-bit samples nor Opus in Ogg.
    """
    final = path.with_name(path.name + SUFFIX)
    try:
        rate, channels, content = _layout(path)
        data_key, header = make_header(recipients, rate, channels, content)
        with path.open("rb") as plain:
            plain.seek(wav_header.HEADER_BYTES if content is Content.PCM else 0)
            _replace(final, lambda out: _seal_stream(plain, out, ChunkCipher(data_key, header), header))
        _compare(path, final, data_key)
        path.unlink()
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None
    return final


def _layout(path: Path) -> tuple[int, int, Content]:
    """Rate and channels of a file with our own header, and which kind it is."""
    with path.open("rb") as file:
        head = file.read(wav_header.HEADER_BYTES)
    if len(head) < wav_header.HEADER_BYTES:
        raise LocalError(f"{path}: no recording")
    if head.startswith(b"OggS") and head[_OPUS_HEAD : _OPUS_HEAD + 8] == b"OpusHead":
        rate = int.from_bytes(head[_OPUS_HEAD + 12 : _OPUS_HEAD + 16], "little")
        return rate, head[_OPUS_HEAD + 9], Content.OGG
    channels, rate = int.from_bytes(head[22:24], "little"), int.from_bytes(head[24:28], "little")
    data = path.stat().st_size - wav_header.HEADER_BYTES
    if head != wav_header.header(rate, channels, data) or not 1 <= channels <= 8 or data % (2 * channels):
        raise LocalError(f"{path}: no complete recording of voicegw")
    return rate, channels, Content.PCM


def _seal_stream(plain: BinaryIO, out: BinaryIO, cipher: ChunkCipher, header: SealHeader) -> None:
    out.write(header.to_bytes())
    number = 0
    size = header.chunk_bytes
    while len(chunk := plain.read(size)) == size:
        out.write(cipher.seal(number, chunk, last=False))
        number += 1
    out.write(cipher.seal(number, chunk, last=True))


def _compare(plain: Path, sealed: Path, data_key: bytes) -> None:
    """Read back what was sealed, byte for byte."""
    reader = SealedReader(sealed, KeyRing(), data_key=data_key)
    try:
        with plain.open("rb") as file:
            at = 0
            while piece := file.read(_COPY_BYTES):
                if reader.read(at, len(piece)) != piece:
                    raise LocalError(f"{sealed}: what was written cannot be read back; {plain} is kept")
                at += len(piece)
        if not reader.complete or reader.size != at:
            raise LocalError(f"{sealed}: what was written cannot be read back; {plain} is kept")
    finally:
        reader.close()


def rewrap(path: Path, keys: KeyRing, recipients: Sequence[SealPublicKey]) -> None:
    """Give a sealed recording to other keys, atomically; the sound itself stays as it is.

    Whoever kept a copy of the old file and an old private key can still open that copy. Raises SealKeyMissing,
    SealDamaged and LocalError.
    """
    try:
        with path.open("rb") as file:
            old = parse_header(file.read(MAX_HEADER_BYTES))
            data_key = open_header(old, keys)
            wrapped = tuple(wrap(data_key, recipient, old.fixed) for recipient in recipients)
            new = SealHeader(old.file_id, wrapped, old.rate, old.channels, old.chunk_bytes, old.content)
            file.seek(old.size)
            _replace(path, lambda out: _copy_body(file, out, new))
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None


def _copy_body(body: BinaryIO, out: BinaryIO, header: SealHeader) -> None:
    out.write(header.to_bytes())
    shutil.copyfileobj(body, out, _COPY_BYTES)


def _replace(final: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Write a file beside ``final`` and put it in its place when it is on the disk."""
    beside = final.with_name(final.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with os.fdopen(descriptor, "wb") as out:
        fill(out)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(final)
