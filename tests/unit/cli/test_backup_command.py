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


PUBLIC = ("roots.pem", "revoked.crl", "web.pem", "homer-ca.pem", "homer.pem", "api.pem", "clients.pem", "peer.pem")
SECRET = ("homer.key", "api.key", "seal.key", "both.pem", "peer.key")
"""``both.pem`` has certificate and key in one, as a listener may have them."""


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A directory whose configuration, and a trunk, name files of every kind; what is in one is its name."""
    home = tmp_path / "old"
    (home / "trunks").mkdir(parents=True)
    for name in (*PUBLIC, *SECRET, "seal.pub", "secrets.key"):
        (home / name).write_text(f"<{name}>")
    listener = (
        "{transport: tls, port: 5061, certificate: both.pem, client_ca: clients.pem, client_certificates: required}"
    )
    (home / "voicegw.yaml").write_text(
        "sip:\n"
        f"  listeners: [{listener}]\n"
        "  identity: {trust_anchors: [roots.pem], revoked: [revoked.crl], ca: web.pem}\n"
        "observability:\n  hep:\n    to: homer:9060\n    transport: tls\n"
        "    tls: {ca: homer-ca.pem, certificate: homer.pem, key: homer.key}\n"
        "api: {tls_cert: api.pem, tls_key: api.key, key_file: secrets.key}\n"
        "recording: {seal_to: [seal.pub], unseal_with: [seal.key]}\n"
    )
    peer = f"{{certificate: {home / 'peer.pem'}, key: {home / 'peer.key'}}}"
    (home / "trunks" / "peer.yaml").write_text(f"name: peer\nhosts: [192.0.2.1]\ntransport: tls\ntls: {peer}\n")
    (home / "trunks" / "torn.yaml").write_text("name: torn\nhosts: [")
    return home


def files_of(archive: Path) -> set[str]:
    """The contents of the files that say their own name."""
    with tarfile.open(archive) as opened:
        found = [opened.extractfile(member) for member in opened]
        return {text[1:-1].decode() for file in found if file and (text := file.read()).startswith(b"<")}


def test_every_file_that_the_configuration_or_a_trunk_names_is_in_it(
    installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "backup.tar.gz"
    assert main(["backup", str(archive), "-c", str(installation / "voicegw.yaml")]) == 0
    assert files_of(archive) == {*PUBLIC, *SECRET, "seal.pub", "secrets.key"}
    assert "torn.yaml cannot be read" in capsys.readouterr().err
    assert main(["restore", str(archive), str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "trunks" / "torn.yaml").exists()


def test_without_keys_no_private_key_is_in_it(installation: Path, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    assert main(["backup", str(archive), "-c", str(installation / "voicegw.yaml"), "--without-keys"]) == 0
    assert files_of(archive) == {*PUBLIC, "seal.pub"}
