"""``voicegw recordings``: from a new key to an opened recording, a rotation, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.cli import main
from voicegw.config import load_config
from voicegw.recording.wav_file import StereoWavFile


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with two pairs of keys, a configuration that names the first, and a plain recording."""
    for name in ("first", "second"):
        assert main(["recordings", "keygen", str(tmp_path / name)]) == 0
    (tmp_path / "voicegw.yaml").write_text("recording: {seal_to: [first.pub], unseal_with: [first.key]}\n")
    file = StereoWavFile(str(tmp_path / "call.wav"))
    file.append(b"\x01\x00" * 9000, b"\x02\x00" * 9000)
    file.finish(sync=False)
    capsys.readouterr()
    return tmp_path


def test_seal_look_open_and_rotate(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, sealed, out = ["-c", str(home / "voicegw.yaml")], str(home / "call.wav.sealed"), home / "out.wav"
    plain = (home / "call.wav").read_bytes()
    assert main(["recordings", "seal", *config, str(home / "call.wav")]) == 0
    assert main(["recordings", "info", sealed]) == 0
    assert "8000 Hz, 2 channels, sealed to " in capsys.readouterr().out
    assert main(["recordings", "unseal", *config, sealed, "--out", str(out)]) == 0
    assert out.read_bytes() == plain
    assert main(["recordings", "rewrap", *config, "--to", str(home / "second.pub"), sealed]) == 0
    assert main(["recordings", "rewrap", *config, sealed]) == 1
    assert "that private key is not here" in capsys.readouterr().err
    out.unlink()
    assert main(["recordings", "unseal", "--key", str(home / "second.key"), sealed, "--out", str(out)]) == 0
    assert out.read_bytes() == plain


def test_one_without_an_end_mark_is_not_taken_for_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, sealed, out = ["-c", str(home / "voicegw.yaml")], home / "call.wav.sealed", home / "out.wav"
    main(["recordings", "seal", *config, str(home / "call.wav")])
    sealed.write_bytes(sealed.read_bytes()[:-1])
    assert main(["recordings", "unseal", *config, str(sealed), "--out", str(out)]) == 1
    assert "has no end mark" in capsys.readouterr().err and not out.exists()
    assert main(["recordings", "unseal", *config, "--cut", str(sealed), "--out", str(out)]) == 0
    assert out.stat().st_size == 44 + 2 * 16384


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["keygen", "{home}/first"], "File exists"),
        (["info", "{home}/absent"], "No such file"),
        (["unseal", "{home}/call.wav", "--out", "{home}/x"], "no private key is named"),
        (["seal", "{home}/call.wav"], "no public key is named"),
        (["seal", "--to", "{home}/first.key", "{home}/call.wav"], "there is no 'voicegw-seal-public-1' key"),
        (["unseal", "--key", "{home}/first.key", "{home}/call.wav", "--out", "{home}/call.wav"], "File exists"),
    ],
)
def test_complaints(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    assert main(["recordings", *(argument.format(home=home) for argument in arguments)]) == 1
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_not_sealed_has_no_keys_to_tell(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "info", str(home / "call.wav")]) == 1
    assert "not a sealed recording" in capsys.readouterr().out


def test_paths_of_keys_count_from_the_configuration(home: Path) -> None:
    config = load_config(home / "voicegw.yaml").recording
    assert (config.seal_to, config.unseal_with) == ((str(home / "first.pub"),), (str(home / "first.key"),))
