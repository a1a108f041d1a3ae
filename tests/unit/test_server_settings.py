"""Which settings of a running node change at once, and which are named as needing a restart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.config import Config, LimitsConfig, LogConfig
from voicegw.config_changes import changes, covered, mixed
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.server_settings import CALLS, ENGINES, SIP, LiveSettings


def test_changes_are_named_as_in_the_file() -> None:
    old = Config()
    new = dataclasses.replace(
        old,
        limits=LimitsConfig(max_calls=3),
        log=LogConfig(level="debug"),
        sip=SipConfig(listen_port=5070, guard=GuardConfig(ban_s=5.0)),
    )
    assert changes(old, old) == ()
    assert set(changes(old, new)) == {"limits.max_calls", "log.level", "sip.listen_port", "sip.guard.ban_s"}


def test_a_mixture_takes_what_is_named_and_nothing_else() -> None:
    new = Config(sip=SipConfig(listen_port=5070, max_calls=7), limits=LimitsConfig(3, 4.0), log=LogConfig("debug"))
    got = mixed(Config(), new, ["sip.max_calls", "limits"])
    assert (got.sip.max_calls, got.sip.listen_port) == (7, 5060)
    assert got.limits == LimitsConfig(3, 4.0) and got.log.level == "info"
    assert changes(got, new) == ("sip.listen_port", "log.level")


def test_a_mixture_that_cannot_be_is_refused() -> None:
    """SRTP is required in the file together with a TLS listener, which is there only after a restart."""
    listeners = (ListenerConfig("tls", 5061, "127.0.0.1", certificate="c.pem"),)
    new = Config(sip=SipConfig(srtp="required", listeners=listeners))
    with pytest.raises(ConfigError, match="srtp is required"):
        mixed(Config(), new, ["sip.srtp"])


def test_every_name_of_a_live_setting_is_one_of_the_file() -> None:
    for name in (*CALLS, *ENGINES, *SIP):
        found: object = Config()
        for part in name.split("."):
            found = getattr(found, part)
    assert covered("sip.guard.ban_s", SIP) and not covered("sip.guards", ("sip.guard",))


def test_what_is_a_socket_or_a_process_waits_for_a_restart() -> None:
    settings = LiveSettings(Config(), None)  # type: ignore[arg-type]
    new = dataclasses.replace(
        Config(),
        limits=LimitsConfig(max_calls=3),
        sip=SipConfig(listen_port=5070, retry_after_s=7),
        paths=dataclasses.replace(Config().paths, recordings=str(Path("elsewhere"))),
    )
    live, waiting = settings.split(new)
    assert set(live) == {"limits.max_calls", "sip.retry_after_s"}
    assert set(waiting) == {"sip.listen_port", "paths.recordings"}
    assert changes(settings.plan(new), new) == waiting
