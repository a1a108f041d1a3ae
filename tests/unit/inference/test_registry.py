"""Engines are found by name, and what is missing is named."""

from __future__ import annotations

import pytest

from voicegw.base.errors import ConfigError
from voicegw.inference.registry import Entry, make_asr, make_tts
from voicegw.inference.settings import EngineSettings


def test_known_names_make_providers() -> None:
    assert make_asr("pocketsphinx", EngineSettings()).capabilities.sample_rate_hz == 8000
    assert make_tts("flite", EngineSettings()).capabilities.word_marks
    assert not make_tts("espeak", EngineSettings()).capabilities.word_marks


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="use one of: espeak, flite") as caught:
        make_tts("fleet", EngineSettings())
    assert "'fleet'" in caught.value.message


def test_a_missing_package_names_the_extra() -> None:
    known = {"far": Entry("no_such_package_here.far:Far", extra="far")}
    with pytest.raises(ConfigError, match=r"pip install 'voicegw\[far\]'") as caught:
        make_asr("far", EngineSettings(), known)
    assert "no_such_package_here" in caught.value.message
