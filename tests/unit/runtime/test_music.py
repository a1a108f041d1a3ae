from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.rig import power_at, tone
from voicegw.audio import wav
from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.runtime.music import load_music


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two seconds of 700 Hz, in stereo at 16 kHz: written as the 350 Hz that it would be at 8."""
    path = tmp_path / "hold.wav"
    path.write_bytes(wav.make(16_000, np.repeat(tone(350, 32_000)[:, np.newaxis], 2, axis=1)))
    return path


def test_pieces_follow_each_other_and_go_around(file: Path) -> None:
    music = load_music(str(file))
    piece = np.frombuffer(music.piece(8000, 1.0, 3.0, begins=True), np.int16)
    assert len(piece) == 24_000
    assert power_at(piece[10_000:15_000], 700) == pytest.approx(8000, rel=0.05), "it has gone around"
    assert np.abs(piece[:8]).max() < 20, "faded in"
    assert np.abs(piece[7992:8008]).max() < 20, "and where the file ends and begins, which need not fit"
    assert len(music.piece(16_000, 50.0, 3.0, begins=False)) == 2 * 48_000


def test_two_pieces_are_one(file: Path) -> None:
    music = load_music(str(file))
    parts = [music.piece(8000, begin, 0.5, begins=False) for begin in (0.5, 1.0)]
    assert b"".join(parts) == music.piece(8000, 0.5, 1.0, begins=False)


@pytest.mark.parametrize("data", [None, b"no sound", wav.make(8000, tone(700, 400))])
def test_what_cannot_be_played_is_refused_at_load(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "hold.wav").write_bytes(data)
    config = tmp_path / "voicegw.yaml"
    config.write_text("transfer:\n  ring_s: 20\n  music: hold.wav\n")
    with pytest.raises(ConfigError) as refused:
        load_config(config)
    assert (refused.value.line, Path(refused.value.file).name) == (3, "voicegw.yaml")
    assert "hold.wav" in refused.value.message and "WAV" in refused.value.fix


def test_the_file_is_looked_for_beside_the_configuration(tmp_path: Path, file: Path) -> None:
    config = tmp_path / "voicegw.yaml"
    config.write_text("transfer: {music: hold.wav}\n")
    assert load_config(config).transfer.music == str(file)
