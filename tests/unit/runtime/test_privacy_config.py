"""The section ``privacy`` of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.config import load_config


def test_patterns_become_redactors_of_calls(tmp_path: Path) -> None:
    path = tmp_path / "voicegw.yaml"
    path.write_text('privacy: {redact_cards: false, patterns: [{name: member, regex: "M-[0-9]+"}]}\n')
    privacy = load_config(path).privacy
    assert privacy.redactor().text("I am M-17, 4242424242424242") == "I am [member], 4242424242424242"
    assert privacy.redactor() is not privacy.redactor()


@pytest.mark.parametrize(
    ("name", "regex", "complaint"),
    [
        ("member", "(a+)+", "must not have choices or repetitions"),
        ("member", "[", "not a regular expression"),
        ("Member!", "a", "is no name of a pattern"),
        ("member", "a*", "matches nothing"),
        ("member", "[a-z]+", "which stands for what was taken out"),
    ],
)
def test_patterns_that_cannot_work(tmp_path: Path, name: str, regex: str, complaint: str) -> None:
    path = tmp_path / "voicegw.yaml"
    path.write_text(f"privacy: {{patterns: [{{name: '{name}', regex: '{regex}'}}]}}\n")
    with pytest.raises(ConfigError, match=complaint):
        load_config(path)
