"""Recordings that no writer has open: finish what a killed process left, and remove what is to go."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from voicegw.audio import wav_header
from voicegw.base import pcap
from voicegw.recording.layout import CHANNELS, FRAME_BYTES, RATES
from voicegw.recording.ogg_pages import EMPTY_BYTES
from voicegw.recording.seal_format import MAX_HEADER_BYTES, TAG_BYTES, SealDamaged, is_sealed, parse_header


def recover_partial(directory: str) -> list[str]:
    """Finish what a killed process left in ``directory`` and below; returns the new names.

    The header is corrected to the size of the file; sealed ones are complete up to their last chunk. Files that a
    living process writes, that are no recording of ours, or that cannot be changed stay as they are; recordings
    without a sample are removed.
    """
    recovered = []
    for part in sorted(Path(directory).rglob("*.part")):
        try:
            final = _recover(part)
        except (OSError, SealDamaged):  # read-only or locked by its writer: a later start may have more luck
            continue
        if final is not None:
            recovered.append(str(final))
    return recovered


def _recover(part: Path) -> Path | None:
    with part.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = part.stat().st_size
        head = file.read(wav_header.HEADER_BYTES)
        if is_sealed(head):
            return _keep_sealed(part)
        if head.startswith(b"OggS"):
            return _keep_ogg(part, size)
        if head.startswith(pcap.HEADER):
            return _keep_capture(part, size)
        rate_hz = next((rate for rate in RATES if _same_format(head, wav_header.header(rate, CHANNELS, 0))), 0)
        if not rate_hz:
            return None
        data = (size - wav_header.HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
        if data == 0:
            part.unlink()
            return None
        file.truncate(wav_header.HEADER_BYTES + data)
        file.seek(0)
        file.write(wav_header.header(rate_hz, CHANNELS, data))
        final = _free_name(part.with_suffix(""))
        part.rename(final)
        return final


def _same_format(head: bytes, ours: bytes) -> bool:
    """Whether two headers differ in nothing but the sizes."""
    return head[:4] + head[8:40] == ours[:4] + ours[8:40]


def _keep_sealed(part: Path) -> Path | None:
    """Without the data key, which died with its process, a sealed recording can only get its name: it stays without
    an end mark, and readers say so."""
    with part.open("rb") as file:
        header = parse_header(file.read(MAX_HEADER_BYTES))
    if part.stat().st_size <= header.size + TAG_BYTES:
        part.unlink()
        return None
    final = _free_name(part.with_suffix(""))
    part.rename(final)
    return final


def _keep_ogg(part: Path, size: int) -> Path | None:
    """Every page is whole by itself, and readers stop at the first that is not."""
    if size <= EMPTY_BYTES:
        part.unlink()
        return None
    final = _free_name(part.with_suffix(""))
    part.rename(final)
    return final


def _keep_capture(part: Path, size: int) -> Path | None:
    """Packet by packet; the last one may be torn."""
    data = part.read_bytes()
    whole = len(pcap.HEADER) + pcap.whole_records(data, len(pcap.HEADER))
    if whole < size:
        os.truncate(part, whole)
    final = _free_name(part.with_suffix(""))
    part.rename(final)
    return final


def _free_name(path: Path) -> Path:
    """``path``, or a name beside it if that is taken: a recovery never replaces a finished recording."""
    candidate, number = path, 0
    stem, _, kind = path.name.partition(".")  # a sealed one has two suffixes, by which it is known
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{stem}.recovered-{number}.{kind}".rstrip("."))
    return candidate


def remove_recording(path: Path) -> None:
    """Remove a recording for good. Of a sealed one the data keys are overwritten first; raises OSError.

    That is more than unlinking where the file system writes in place: without its header the rest is noise, whoever
    finds the blocks. Of a plain file nothing of the kind can be promised; sealing is what helps there.
    """
    with path.open("r+b") as file:
        if is_sealed(head := file.read(MAX_HEADER_BYTES)):
            file.seek(0)
            file.write(bytes(_header_size(head)))
            file.flush()
            os.fsync(file.fileno())
    path.unlink()


def _header_size(head: bytes) -> int:
    try:
        return parse_header(head).size
    except SealDamaged:
        return len(head)
