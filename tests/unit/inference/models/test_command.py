"""``voicegw models``, in process, with a mirror that is a directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.inference.models.mirror import CONFIG, MANIFEST, WEIGHTS
from voicegw.cli.main import main


@pytest.fixture
def site(tmp_path: Path) -> list[str]:
    """A configuration, a manifest, and a directory with one model; the arguments that name the first two."""
    mirror = tmp_path / "mirror" / "tiny"
    mirror.mkdir(parents=True)
    (mirror / "model.bin").write_bytes(WEIGHTS)
    (mirror / "config.json").write_bytes(CONFIG)
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(MANIFEST.model_dump(mode="json")))
    config = tmp_path / "voicegw.yaml"
    config.write_text(f"models:\n  mirror: {tmp_path / 'mirror'}\npaths:\n  models: here\n")
    return ["--config", str(config), "--manifest", str(manifest)]


def test_list_pull_list_verify(site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", *site]) == 0
    assert "missing" in capsys.readouterr().out
    assert main(["models", "pull", *site, "tiny"]) == 0
    assert "tiny: 2 files came, checksums are right" in capsys.readouterr().out
    assert main(["models", "list", *site]) == 0
    assert "complete" in capsys.readouterr().out
    assert main(["models", "verify", *site]) == 0
    assert capsys.readouterr().out == "ok: tiny\n"
    (tmp_path / "here" / "tiny" / "config.json").write_bytes(b"{}")
    assert main(["models", "verify", *site]) == 1
    assert "config.json has 2 bytes instead of 13" in capsys.readouterr().out


def test_wrong_names_and_places_are_explained(site: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", *site, "huge"]) == 1
    assert "no model called 'huge'" in capsys.readouterr().err
    assert main(["models", "pull", *site]) == 1
    assert "which model?" in capsys.readouterr().err
    assert main(["models", "pull", *site, "--from", "/nowhere", "tiny"]) == 1
    assert "no directory /nowhere" in capsys.readouterr().err
    assert main(["models", "verify", *site]) == 0
    assert "there is no model in" in capsys.readouterr().out
