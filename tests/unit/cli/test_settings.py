"""``settings`` says what every key of the configuration file is, by the code itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit.test_config_classes import keys
from voicegw.cli import main
from voicegw.config import Config
from voicegw.settings_listed import sections, settings


def test_every_key_is_listed_with_a_meaning() -> None:
    listed = {one.name: one for one in settings()}
    assert {name for name in keys(Config) if ".NAME." not in name} <= listed.keys()
    assert [name for name, one in listed.items() if not one.text] == []


def test_defaults_are_those_of_the_code_as_a_file_would_say_them() -> None:
    defaults = {one.name: one.default for one in settings()}
    assert defaults["sip.listen_port"] == "5060"
    assert defaults["sip.advertised_ip"] == '""'
    assert defaults["speech.tts"] == "[flite, espeak]"
    assert defaults["api.enabled"] == "true"
    assert defaults["transfer.targets[].name"] == ""


def test_a_name_lists_what_it_covers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "sip.guard"]) == 0
    out = capsys.readouterr().out
    names = [line.partition(":")[0] for line in out.splitlines() if not line.startswith(" ")]
    assert "sip.guard.ban_s" in names and all(name.startswith("sip.guard.") for name in names)
    assert "A reload changes it at once." in out


def test_without_a_name_the_sections_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [name for name, _ in sections()]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "sip.guards"]) == 1
    assert "voicegw settings" in capsys.readouterr().err


def test_who_has_read_enough_is_told_no_error() -> None:
    """As in ``voicegw settings | head``."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "voicegw", "settings", "sip"]
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")
