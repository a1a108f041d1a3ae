from __future__ import annotations

import logging

import pytest

from voicegw.base.errors import ConfigError
from voicegw.dialplan.load import parse_dialplan
from voicegw.runtime.dialplan_store import DialplanStore, Installation


def installation(name: str) -> Installation:
    return Installation(parse_dialplan(f"routes: [{{name: {name}, reject: busy}}]", "dialplan.yaml", ()), {})


def test_a_reload_swaps_and_a_failed_one_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    ready: list[Installation | ConfigError] = [
        installation("new"),
        ConfigError("unknown key 'x'", file="dialplan.yaml", line=3, fix="remove it"),
        installation("old"),
    ]

    def load() -> Installation:
        made = ready.pop()
        if isinstance(made, ConfigError):
            raise made
        return made

    store = DialplanStore(load)
    old = store.current
    with caplog.at_level(logging.ERROR):
        error = store.reload()
    assert error is not None
    assert store.current is old
    assert "dialplan.yaml:3: unknown key 'x'" in caplog.text
    assert store.reload() is None
    assert store.current.dialplan.routes[0].name == "new"


def test_without_a_first_installation_there_is_no_store() -> None:
    def load() -> Installation:
        raise ConfigError("cannot be read", file="dialplan.yaml")

    with pytest.raises(ConfigError):
        DialplanStore(load)
