"""The list of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.models.manifest import load_manifest

ENTRY = """
  - name: {name}
    kind: piper
    about: a voice
    licence: MIT
    folder: {folder}
    source: a/b
    files:
      - {{name: x.onnx, size: 1, sha256: {sha256}}}
"""


def write(path: Path, *entries: str) -> Path:
    path.write_text("models:" + "".join(entries), encoding="utf-8")
    return path


def entry(name: str = "x", folder: str = "piper", sha256: str = "a" * 64) -> str:
    return ENTRY.format(name=name, folder=folder, sha256=sha256)


def test_the_manifest_that_ships_can_be_read_and_names_no_place() -> None:
    manifest = load_manifest()
    assert manifest.find(WhisperConfig().model).kind == "whisper"
    for model in manifest.models:
        assert "://" not in model.source and model.licence
        if model.kind == "piper":
            assert [file.name for file in model.files] == [f"{model.name}.onnx", f"{model.name}.onnx.json"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry(folder="../etc"), "relative path"),
        (entry(folder="/etc"), "relative path"),
        (entry(sha256="abc"), "sha256"),
        (entry() + entry(), "'x' is there twice"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, bad: str, message: str) -> None:
    path = write(tmp_path / "manifest.yaml", bad)
    with pytest.raises(ConfigError, match=message) as caught:
        load_manifest(path)
    assert f"{path}:" in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path / "manifest.yaml", entry("one"), entry("two")))
    with pytest.raises(ConfigError, match="one, two"):
        manifest.find("three")
