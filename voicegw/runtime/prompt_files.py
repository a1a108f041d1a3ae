"""Prompts on disk: audio that was made once outlives the server, and the engine that made it.

One file a prompt, named by a hash of everything that its sound depends on, so that a file is never wrong, only
wanted or not. Files are written under another name and renamed: a crash leaves no half of one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from voicegw.ports.tts import TtsAudio, TtsChunk, TtsRequest, WordMark

log = logging.getLogger(__name__)

FORMAT = 1
MAX_BYTES = 128 * 1024 * 1024
"""Of all files together; four times what is kept in memory."""
_SUFFIX = ".prompt"


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    after_piece: int
    at_sample: int
    start_char: int
    end_char: int


class _Stored(msgspec.Struct, frozen=True):
    """``said`` tells people who look into the directory what this is; ``digest`` finds files that were damaged."""

    engine: str
    said: str
    pieces: tuple[bytes, ...]
    marks: tuple[_Mark, ...]
    digest: bytes


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Stored)


def file_name(engine: str, version: str, request: TtsRequest) -> str:
    """Equal for equal sound: engine, its version, voice, language, text, rate, sample rate."""
    facts = (FORMAT, engine, version, *msgspec.to_builtins(request).values())
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:40] + _SUFFIX


class PromptFiles:
    """A directory of prompts. Its methods read and write files: call them in a thread."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def read(self, name: str) -> tuple[TtsChunk, ...]:
        """What is there under that name; empty for nothing, or nothing that can be used."""
        path = self._folder / name
        try:
            stored = _decoder.decode(path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:
            log.warning("a prompt cannot be read and is made again: %s", error, extra={"file": name})
            return ()
        if stored.digest != _digest(stored.pieces):
            log.warning("a prompt is damaged and is made again", extra={"file": name})
            return ()
        return _chunks(stored)

    def write(self, name: str, engine: str, text: str, chunks: Sequence[TtsChunk]) -> bool:
        """Keep a prompt; False where the disk does not allow it or the directory is full."""
        data = _encode(_stored(engine, text, chunks))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._used() + len(data) > self._max_bytes:
                log.warning("the directory of prompts is full", extra={"limit_bytes": self._max_bytes})
                return False
            half = self._folder / f"{name}.part"
            half.write_bytes(data)
            half.replace(self._folder / name)
        except OSError as error:
            log.warning("a prompt cannot be kept: %s", error, extra={"file": name})
            return False
        return True

    def keep_only(self, wanted: Collection[str]) -> int:
        """Delete what nobody says any more, and halves that a crash left; how many."""
        removed = 0
        try:
            for path in self._folder.iterdir():
                ours = path.name.endswith((_SUFFIX, f"{_SUFFIX}.part"))
                if ours and path.name not in wanted:
                    path.unlink(missing_ok=True)
                    removed += 1
        except FileNotFoundError:
            return 0
        except OSError as error:
            log.warning("old prompts cannot be deleted: %s", error)
        return removed

    def _used(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob(f"*{_SUFFIX}"))


def _stored(engine: str, text: str, chunks: Sequence[TtsChunk]) -> _Stored:
    pieces: list[bytes] = []
    marks: list[_Mark] = []
    for chunk in chunks:
        if isinstance(chunk, TtsAudio):
            pieces.append(chunk.pcm)
        else:
            marks.append(_Mark(len(pieces), chunk.at_sample, chunk.start_char, chunk.end_char))
    return _Stored(engine, text, tuple(pieces), tuple(marks), _digest(pieces))


def _chunks(stored: _Stored) -> tuple[TtsChunk, ...]:
    """Marks before the audio they came before, as the engine gave them."""
    chunks: list[TtsChunk] = []
    for index in range(len(stored.pieces) + 1):
        chunks += [WordMark(m.at_sample, m.start_char, m.end_char) for m in stored.marks if m.after_piece == index]
        chunks += [TtsAudio(piece) for piece in stored.pieces[index : index + 1]]
    return tuple(chunks)


def _digest(pieces: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"".join(pieces)).digest()[:16]
