"""Which voice files are there, and which voice speaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicegw.base.errors import ProviderError
from voicegw.inference.tts.piper_voices import choose, find_voices


def voice(folder: Path, name: str, **said: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").touch()
    (folder / f"{name}.onnx.json").write_text(json.dumps({"phoneme_id_map": {}, **said}))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    voice(tmp_path / "piper", "en_US-anna", language={"code": "en_US"}, inference={"length_scale": 1.2})
    voice(tmp_path / "piper", "en_GB-bob", language={"code": "en_GB"})
    voice(tmp_path, "fr_FR-two", espeak={"voice": "fr"}, speaker_id_map={"jean": 0, "marie": 1})
    (tmp_path / "turn.onnx").touch()
    (tmp_path / "odd.onnx").touch()
    (tmp_path / "odd.onnx.json").write_text('{"about": "no voice"}')
    return tmp_path


def test_voices_are_models_with_a_description_of_phonemes(models: Path) -> None:
    voices = find_voices(models, ())
    assert [(found.name, found.language) for found in voices] == [
        ("fr_FR-two", "fr"),
        ("en_GB-bob", "en-GB"),
        ("en_US-anna", "en-US"),
    ]
    assert voices[2].length_scale == 1.2
    assert voices[0].names == ("fr_FR-two", "fr_FR-two#jean", "fr_FR-two#marie")


def test_the_wanted_ones_come_in_their_order(models: Path) -> None:
    assert [found.name for found in find_voices(models, ("en_US-anna", "fr_FR-two"))] == ["en_US-anna", "fr_FR-two"]
    with pytest.raises(ProviderError, match="voicegw models pull de_DE-eva"):
        find_voices(models, ("de_DE-eva",))


def test_a_voice_that_would_fetch_its_phonemes_is_left_out(models: Path) -> None:
    voice(models, "zh_CN-li", phoneme_type="pinyin")
    assert "zh_CN-li" not in [found.name for found in find_voices(models, ())]
    with pytest.raises(ProviderError, match="need files from the network"):
        find_voices(models, ("zh_CN-li",))
    with pytest.raises(ProviderError, match="odd is no Piper voice"):
        find_voices(models, ("odd",))


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="voicegw models pull"):
        find_voices(tmp_path, ())


def test_a_description_that_is_no_json_is_an_error(models: Path) -> None:
    (models / "odd.onnx.json").write_text("{")
    with pytest.raises(ProviderError, match="cannot read"):
        find_voices(models, ())


@pytest.mark.parametrize(
    ("name", "language", "chosen", "speaker"),
    [
        ("en_GB-bob", "fr-FR", "en_GB-bob", None),
        ("fr_FR-two#marie", "en-US", "fr_FR-two", 1),
        ("fr_FR-two#nobody", "en-US", "fr_FR-two", None),
        ("", "en-US", "en_US-anna", None),
        ("", "en-AU", "en_GB-bob", None),
        ("", "fr-CA", "fr_FR-two", None),
        ("unknown", "en-GB", "en_GB-bob", None),
        ("", "ja-JP", "fr_FR-two", None),
    ],
)
def test_by_name_then_by_language(models: Path, name: str, language: str, chosen: str, speaker: int | None) -> None:
    files, number = choose(find_voices(models, ()), name, language)
    assert (files.name, number) == (chosen, speaker)
