"""The file with the key of secrets: made once, or mounted; and whom it may be seen by."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicegw.api.key_file import KEY_BYTES, derive, load_key, read_key
from voicegw.base.errors import ConfigError

KEY = bytes(range(KEY_BYTES))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "voicegw_key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def seen_as(monkeypatch: pytest.MonkeyPatch, path: Path, *, owner: int, user: int, mount: int = 0) -> None:
    """The file belongs to ``owner`` and we are ``user``, which only root could arrange for in earnest."""
    real = Path.stat

    def stat(self: Path, **options: bool) -> os.stat_result:
        found = real(self, **options)
        return os.stat_result((*found[:4], owner, *found[5:])) if self == path else found

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=mount))


def test_it_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secrets.key"
    key = load_key(path)
    assert len(key) == KEY_BYTES and path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == read_key(path) == key
    assert list(path.parent.iterdir()) == [path], "nothing else is left there"


def test_it_is_there_after_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []
    path, fsync = tmp_path / "secrets.key", os.fsync

    def note(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    load_key(path)
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_of_two_that_make_it_at_once_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"

    def slow(size: int) -> bytes:
        path.write_bytes(KEY)  # another process has been faster
        path.chmod(0o600)
        return os.urandom(size)

    assert load_key(path, slow) == KEY


def test_hexadecimal_digits_are_the_same_key(file: Path) -> None:
    file.write_text(KEY.hex().upper() + "\n")
    assert load_key(file) == KEY


@pytest.mark.parametrize("data", [b"", b"short", bytes(33), b"0" * 63, b"g" * 64])
def test_what_is_no_key(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=f"{len(data)} bytes"):
        load_key(file)
    assert file.read_bytes() == data


def test_one_that_others_of_this_machine_may_read_is_refused(file: Path) -> None:
    for mode in (0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(ConfigError, match=r"others may read(.|\n)*chmod 600"):
            load_key(file)
    assert file.stat().st_mode & 0o777 == 0o604, "nobody's mode is changed"


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o644])
def test_a_secret_that_is_mounted_read_only_may_have_any_readers(
    monkeypatch: pytest.MonkeyPatch, file: Path, mode: int
) -> None:
    file.chmod(mode)
    seen_as(monkeypatch, file, owner=0, user=10001, mount=os.ST_RDONLY)
    assert load_key(file) == KEY


def test_a_file_of_roots_may_be_read_by_its_group(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.chmod(0o640)
    seen_as(monkeypatch, file, owner=0, user=10001)
    assert load_key(file) == KEY
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"others may read(.|\n)*chmod 640"):
        load_key(file)


def test_one_that_others_may_change_is_refused_wherever_it_is(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    seen_as(monkeypatch, file, owner=0, user=10001, mount=os.ST_RDONLY)
    for mode in (0o460, 0o446):
        file.chmod(mode)
        with pytest.raises(ConfigError, match="others may change"):
            load_key(file)


def test_a_secret_that_was_not_mounted_is_not_made(tmp_path: Path) -> None:
    missing = Path("/run/secrets/voicegw-test-is-not-there/key")
    with pytest.raises(ConfigError, match="mount the secret"):
        load_key(missing)
    assert not missing.parent.exists()
    link = tmp_path / "key"
    link.symlink_to(missing)
    with pytest.raises(ConfigError, match="mount the secret"):
        load_key(link)


def test_what_cannot_be_read_or_made_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Is a directory(.|\n)*container engine"):
        load_key(tmp_path)
    with pytest.raises(ConfigError, match=r"No such file(.|\n)*start the server once"):
        read_key(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be (made|read): (File exists|Not a directory)"):
        load_key(tmp_path / "file" / "key")

    def denied(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").chmod(0o400)
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(ConfigError, match=r"Permission denied(.|\n)*0440"):
        load_key(tmp_path / "file")


def test_derived_keys_differ_by_purpose_and_are_known_to_all_who_have_the_key() -> None:
    assert derive(KEY, "digest nonces") == derive(KEY, "digest nonces") != derive(KEY, "something else")
    assert len(derive(KEY, "digest nonces")) == KEY_BYTES and derive(bytes(32), "digest nonces") != derive(KEY, "x")
