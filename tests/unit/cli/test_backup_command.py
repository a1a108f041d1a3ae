"""``voicegw backup`` and ``restore`` beside a PostgreSQL store: what they say to do, and what they never say."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from voicegw.cli.main import main

PLACE = "postgresql://voicegw@db.example.org:5433/calls?application_name=a&connect_timeout=5"


def test_what_the_archive_does_not_hold_is_a_command_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, archive, new = tmp_path / "old", tmp_path / "backup.tar.gz", tmp_path / "new"
    old.mkdir()
    (old / "voicegw.yaml").write_text(f"store: {{url: '{PLACE.replace('voicegw@', 'voicegw:s3cret@')}'}}\n")
    assert main(["backup", str(archive), "-c", str(old / "voicegw.yaml")]) == 0
    assert f"pg_dump -Fc -f voicegw.dump '{PLACE}'" in capsys.readouterr().out.splitlines()
    assert main(["restore", str(archive), str(new)]) == 0
    command = f"pg_restore --single-transaction --no-owner -d '{PLACE}' voicegw.dump"
    assert command in capsys.readouterr().out.splitlines()
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("manifest.json")
        assert manifest is not None and b"s3cret" not in manifest.read()
