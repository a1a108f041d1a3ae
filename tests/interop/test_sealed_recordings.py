"""The real server with a key to seal to: consent, refusal, and a media worker that is killed in mid-call."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.sound import Samples, seconds_with, silence, speech_seconds, tone
from voicegw.recording.recovery import recover_partial
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey, write_key_pair
from voicegw.recording.seal_reader import open_recording

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

KEY = SealPrivateKey.generate()
CHUNK = 16 * 1024
"""Bytes that are sealed together."""


def unsealed(path: Path, *, complete: bool) -> tuple[Samples, Samples]:
    """Both sides of a sealed recording."""
    reader = open_recording(path, KeyRing([KEY]))
    data = reader.read(0, reader.size)
    assert reader.complete is complete
    reader.close()
    with wave.open(io.BytesIO(data)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def test_recordings_are_never_on_the_disk_in_plain_and_go_when_the_caller_says_no(tmp_path: Path) -> None:
    write_key_pair(KEY, tmp_path / "seal.key", tmp_path / "seal.pub")
    server = FaultServer(
        tmp_path,
        agent="consent_keys",
        settings={"recording": {"seal_to": [str(tmp_path / "seal.pub")]}},
        expected=("media worker lost", "recording failed"),
    )
    folder = server.home / "recordings"
    with server:
        with server.phone("yes") as phone:
            assert phone.dial() == 200
            server.wait_facts(phone, "DisclosureWasMade")
            phone.press("1")
            server.wait_facts(phone, "ConsentWasGiven")
            phone.play(tone(1000, 3))
            phone.wait_played()
            phone.hang_up()
            log = server.wait_ended(phone)
        path = Path(log.one("RecordingHasEnded")["path"])
        assert path.name.endswith(".wav.sealed")
        caller, agent = unsealed(path, complete=True)
        assert seconds_with(caller, 1000) >= 1 and speech_seconds(agent) >= 1.5

        with server.phone("no") as phone:
            assert phone.dial() == 200
            server.wait_facts(phone, "DisclosureWasMade")
            phone.press("2")
            server.wait_facts(phone, "RecordingWasDiscarded")
            assert [file.name for file in folder.iterdir()] == [path.name]
            phone.hang_up()
            log = server.wait_ended(phone)
        assert log.one("ConsentWasRefused")["answer"] == "2" and log.all("RecordingHasEnded") == []

        with server.phone("killed") as phone:
            assert phone.dial() == 200
            phone.play(np.concatenate([tone(1000, 4), silence(0.6)]))
            phone.wait_played()
            (part,) = folder.glob("*.part")
            size = part.stat().st_size
            server.wait(lambda: part.stat().st_size > size + CHUNK, 30, "what came after the tone is on the disk")
            server.kill_workers(MEDIA)
            server.wait_facts(phone, "MediaHasMoved")
            phone.hang_up()
            server.wait_ended(phone)
        (part,) = folder.glob("*.part")
        assert part.name.endswith(".wav.sealed.part")
    assert recover_partial(str(folder)) == [str(part.with_suffix(""))]  # as the next start does
    caller, _agent = unsealed(part.with_suffix(""), complete=False)
    assert seconds_with(caller, 1000) >= 1.5
    assert not [file for file in folder.iterdir() if file.read_bytes()[:4] == b"RIFF"]
