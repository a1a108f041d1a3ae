"""From the configuration file to the engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.config import Config, load_config
from voicegw.server import make_speech


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "voicegw.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_every_engine_has_its_section(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
speech: {asr: transcription, tts: [speech-server]}
whisper: {model: whisper-small, languages: [en, fr], encoder_window_s: 10}
piper: {voices: [en_GB-alba-medium]}
transcription: {base_url: "http://127.0.0.1:1/v1", model: large, detailed: true}
speech_server: {base_url: "http://127.0.0.1:2/v1", pcm_hz: 16000}
models: {mirror: "https://mirror.test"}
paths: {models: there}
""",
    )
    assert config.whisper.languages == ("en", "fr") and config.whisper.encoder_window_s == 10.0
    assert config.piper.voices == ("en_GB-alba-medium",)
    assert (config.transcription.model, config.transcription.detailed) == ("large", True)
    assert (config.speech_server.pcm_hz, config.models.mirror) == (16000, "https://mirror.test")
    assert config.paths.models == str(tmp_path / "there")
    assert make_speech(config, Counters()).asr.name == "transcription"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("whisper: {encoder_window_s: 60}", "encoder_window_s is 60"),
        ("whisper: {device: tpu}", "no device 'tpu'"),
        ("whisper: {max_batch: 0}", "max_batch is 0"),
        ("piper: {max_loaded: 0}", "max_loaded is 0"),
        ("transcription: {confidence: 2}", "confidence is 2"),
        ("speech_server: {pcm_hz: 0}", "pcm_hz is 0"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, f"# nothing here\n{setting}\n")
    assert "voicegw.yaml:2:" in str(caught.value)
