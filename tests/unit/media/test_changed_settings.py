"""Settings of a media worker that change while it runs: how its next files are kept, and what it logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.personal import Disclosure, PersonalView
from voicegw.media.config import MediaConfig
from voicegw.media.messages import ChangeSettings
from voicegw.recording.quota import DiskQuota
from voicegw.recording.seal_keys import SealPrivateKey
from voicegw.recording.seal_writer import SealedWavFile
from voicegw.recording.wav_file import StereoWavFile
from voicegw.server_media import DiskRecorder, changer


def test_files_that_begin_from_now_on_are_kept_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[tuple[str, Disclosure]] = []

    def configure(level: str, *, view: PersonalView) -> None:
        logs.append((level, view.disclosure))

    monkeypatch.setattr("voicegw.server_media.configure", configure)
    key, quota = SealPrivateKey.generate(), DiskQuota()
    recorder = DiskRecorder((), quota)
    running = recorder._open(str(tmp_path / "running.wav"), 8000)
    assert not quota.refusal(str(tmp_path / "running.wav"))
    reports: list[bool] = []
    used: list[MediaConfig] = []
    change = changer(recorder, quota, reports.append, used.append)
    keys = (key.public_key().to_bytes(),)
    change(ChangeSettings("debug", "drop", 10**9, 0, keys, MediaConfig(tap_ms=20), tell_reports=True))
    following = recorder._open(str(tmp_path / "following.wav"), 8000)
    assert isinstance(running, StereoWavFile) and isinstance(following, SealedWavFile)
    assert "are not for recordings" in quota.refusal(str(tmp_path / "running.wav"))
    assert logs == [("debug", Disclosure.DROP)]
    running.discard()
    following.discard()
    change(ChangeSettings("info", "keep", 0, 0, (), MediaConfig()))
    assert reports == [True, False] and used == [MediaConfig(tap_ms=20), MediaConfig()]
    assert not quota.refusal(str(tmp_path / "running.wav"))
