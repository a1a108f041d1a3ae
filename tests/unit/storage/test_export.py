"""What is known of a number, as files: all of it."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

from tests.unit.storage.sample_call import call_id, sample_call
from voicegw.base.metrics import Counters
from voicegw.call.facts import AnyFact, CallHasEnded, CallWasOffered, Entry, RecordingHasEnded, RecordingHasFailed
from voicegw.call.recording_facts import RecordedParticipant, RecordingWasDescribed, StreamWasAgreed
from voicegw.storage.config import StoreConfig
from voicegw.storage.export import calls_to_export, export_zip
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter

MINE = "+4930555"
END = CallHasEnded("caller_hangup", "caller", False, 16, "the caller hung up", 1000.0)


def kept(place: Path, *stories: list[AnyFact]) -> StoreConfig:
    """A store with these calls, after one of somebody else."""
    config = StoreConfig(url=f"sqlite:///{place / 'store.sqlite'}", spool=str(place / "spool"), batch_ms=1)
    writer = StoreWriter(config, Counters())
    for entry in sample_call(0):
        writer.append(call_id(0), entry)
    for number, story in enumerate(stories, start=1):
        for seq, fact in enumerate(story):
            writer.append(call_id(number), Entry(seq, 0.0, fact))
    assert writer.settle(20.0)
    writer.close()
    return config


def exported(config: StoreConfig, file: Path, files: NodeFiles) -> list[str]:
    async def export() -> None:
        store = Store(config)
        try:
            await export_zip(store, await calls_to_export(store, MINE), file, files=files)
        finally:
            await store.close()

    asyncio.run(export())
    with zipfile.ZipFile(file) as archive:
        return sorted(archive.namelist())


def test_who_was_recorded_by_others_gets_these_calls_as_well(tmp_path: Path) -> None:
    """They would be erased with them."""
    speaker = RecordedParticipant("p1", f"sip:{MINE}@192.0.2.1", "Ann", ("96",))
    config = kept(
        tmp_path,
        [
            CallWasOffered(call_id(1), "sip-1@peer", "recorder", "pbx", "", "2026-01-01T10:00:00+00:00"),
            RecordingWasDescribed(True, (), (speaker,)),
            StreamWasAgreed("96", "left", "PCMU", "192.0.2.1:4000"),
            END,
        ],
    )
    assert exported(config, tmp_path / "out.zip", NodeFiles(tmp_path / "spool")) == ["calls/c1.json"]


def test_all_recordings_of_a_call_that_lost_its_media_are_in_it(tmp_path: Path) -> None:
    """Its record names the last one, and the others were finished by the next start of the server."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("c1.wav", "c1-2.wav", "c1-3.wav.part", "c0.wav"):
        (folder / name).write_bytes(b"x")
    config = kept(
        tmp_path,
        [
            CallWasOffered(call_id(1), "sip-1@peer", "100", MINE, "", "2026-01-01T10:00:00+00:00"),
            RecordingHasFailed(str(folder / "c1.wav"), "the media worker failed"),
            RecordingHasEnded(str(folder / "c1-2.wav"), 160, 0),
            END,
        ],
    )
    found = exported(config, tmp_path / "out.zip", NodeFiles(tmp_path / "spool", recordings=folder))
    assert found == ["calls/c1.json", "recordings/c1-2.wav", "recordings/c1.wav"]
