"""``voicegw trunk list`` and ``check``: what is said of files, in order and not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from voicegw.cli.main import main


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "trunks").mkdir()
    settings = {"paths": {"trunks": "trunks"}, "api": {"enabled": False}, "store": {"url": "sqlite:///none.sqlite"}}
    (tmp_path / "voicegw.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def trunk(home: Path, *arguments: str) -> int:
    return main(["trunk", *arguments, "-c", str(home / "voicegw.yaml")])


def test_a_file_that_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "trunks" / "carrier.yaml").write_text("name: carrier\nhosts: [192.0.2.1]\ntransprt: udp\n")
    assert trunk(home, "check") == 1
    said = capsys.readouterr().err
    assert "carrier.yaml:3" in said
    assert "transport" in said


def test_a_file_that_is_dear(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "trunks" / "carrier.yaml").write_text("name: carrier\nhosts: [192.0.2.1]\ncarries: ['*']\n")
    assert trunk(home, "check", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in said["findings"]] == ["carries_all", "ok"]
    assert said["ok"]
    assert trunk(home, "check") == 0
    assert "      -> name the beginnings" in capsys.readouterr().out


def test_what_there_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trunk(home, "list") == 0
    assert "there are no trunks" in capsys.readouterr().out
    assert trunk(home, "check") == 0
    assert "there are no files" in capsys.readouterr().out
    text = "name: carrier\nhosts: [192.0.2.1]\nport: 5070\nusername: us\nregister_there: true\ncarries: ['+49*']\n"
    (home / "trunks" / "carrier.yaml").write_text(text)
    assert trunk(home, "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["hosts"], row["carries"]) == (["192.0.2.1:5070"], ["+49*"])
    assert row["registers"] == "sip:us@192.0.2.1 at sip:192.0.2.1"
    assert trunk(home, "list") == 0
    assert "carries    +49*" in capsys.readouterr().out
    assert not (home / "none.sqlite").exists(), "looking makes no store"


def test_a_name_that_is_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trunk(home, "test", "other") == 1
    assert "no trunk 'other'" in capsys.readouterr().err
