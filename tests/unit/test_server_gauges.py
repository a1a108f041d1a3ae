"""Levels of trunks and of recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from voicegw.config import Config
from voicegw.gateway.trunk_status import TrunkStatus
from voicegw.server_gauges import _Recordings, trunk_levels


def trunk(name: str, *, enabled: bool, up: bool) -> TrunkStatus:
    return TrunkStatus(
        name=name,
        enabled=enabled,
        up=up,
        why="" if up else "it does not answer",
        calls=2,
        max_calls=30,
        registration=None,
        health=None,
        last_error="",
    )


def test_a_trunk_that_is_switched_off_is_not_one_that_is_down() -> None:
    """VoicegwTrunkDown would ring for it."""
    found = trunk_levels(
        [trunk("a", enabled=True, up=True), trunk("b", enabled=True, up=False), trunk("c", enabled=False, up=False)]
    )
    assert {name: level for name, level in found.items() if name.startswith("trunk_up")} == {
        "trunk_up_a": 1.0,
        "trunk_up_b": 0.0,
    }
    assert not [name for name in found if name.endswith("_c")]
    assert found["trunk_calls_limit_a"] == 30


def test_another_folder_of_recordings_is_measured_at_once(tmp_path: Path) -> None:
    for name, size in (("old", 5), ("new", 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").write_bytes(bytes(size))
    folder = "old"

    def config() -> Config:
        return Config(paths=replace(Config().paths, recordings=folder and str(tmp_path / folder)))

    levels = _Recordings(config, lambda: 1.0)
    assert levels.levels()["recordings_bytes"] == 5.0
    (tmp_path / "old" / "b.wav").write_bytes(bytes(5))
    assert levels.levels()["recordings_bytes"] == 5.0, "not at every look"
    folder = "new"
    assert levels.levels()["recordings_bytes"] == 7.0
    folder = ""
    assert levels.levels() == {}
