"""``voicegw phone secret``: what it prints is what the configuration takes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from voicegw.cli import main
from voicegw.config import load_config
from voicegw.sip.digest import Algorithm, make_ha1


def test_what_is_printed_goes_into_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "voicegw.yaml"
    path.write_text(yaml.safe_dump({"phones": {"domain": "voice.test"}}))
    monkeypatch.setattr("sys.stdin", io.StringIO("a long password\n"))
    assert main(["phone", "secret", "anna", "--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "a long password" not in printed
    path.write_text(yaml.safe_dump({"phones": {"domain": "voice.test", "accounts": yaml.safe_load(printed)}}))
    (entry,) = load_config(path).phones.accounts
    expected = {kind: make_ha1(kind, "anna", "voice.test", "a long password") for kind in Algorithm}
    assert entry.account.ha1 == expected


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (("anna",), "long enough", "depend on the realm"),
        (("a b", "--realm", "r"), "long enough", "no phone can be called"),
        (("anna", "--realm", "r"), "short", "too short"),
    ],
)
def test_what_cannot_be_a_secret(
    arguments: tuple[str, ...],
    password: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    assert main(["phone", "secret", *arguments]) == 1
    assert words in capsys.readouterr().err
