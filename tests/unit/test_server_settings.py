"""Which settings of a running node change at once, and which are named as needing a restart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from voicegw.api.config import ApiConfig
from voicegw.base.errors import ConfigError
from voicegw.config import Config, LimitsConfig, LogConfig
from voicegw.config_changes import changes, covered, mixed
from voicegw.config_classes import AT_ONCE, NEW_CALLS
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.server_settings import ASKED, LiveSettings


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


def test_listeners_are_compared_by_what_they_listen_on() -> None:
    udp, tcp, tls = (ListenerConfig(kind, 5060, "127.0.0.1") for kind in ("udp", "tcp", "ws"))
    closed = dataclasses.replace(tcp, deny=("192.0.2.0/24",))
    old = Config(sip=SipConfig(listeners=(udp, tcp)))
    assert changes(old, Config(sip=SipConfig(listeners=(udp, closed)))) == ("sip.listeners[1].deny",)
    several = Config(sip=SipConfig(listeners=(closed, tls, udp)))
    assert changes(old, several) == ("sip.listeners[1].deny", "sip.listeners")
    assert mixed(old, several, ["sip.listeners[1].deny"]).sip.listeners == (udp, closed)
    assert changes(old, Config()) == ("sip.listeners",)
    twice = Config(sip=SipConfig(listeners=(udp, dataclasses.replace(udp, deny=("192.0.2.1",)))))
    assert changes(old, twice) == ("sip.listeners",), "nobody knows which of the two is which"


def test_somebody_is_told_of_every_live_setting_and_of_nothing_else() -> None:
    told = LiveSettings(Config(), None).told  # type: ignore[arg-type]
    for name in (*AT_ONCE, *NEW_CALLS):
        assert covered(name, (*told, *ASKED)), f"nobody is told of {name}"
    for name in (*told, *ASKED):
        assert any(covered(live, (name,)) or covered(name, (live,)) for live in (*AT_ONCE, *NEW_CALLS)), name
    assert covered("sip.guard.ban_s", ["sip.guard"]) and not covered("sip.guards", ["sip.guard"])


def test_what_is_a_socket_or_a_process_waits_for_a_restart() -> None:
    settings = LiveSettings(Config(), None)  # type: ignore[arg-type]
    new = dataclasses.replace(
        Config(),
        limits=LimitsConfig(max_calls=3),
        sip=SipConfig(listen_port=5070, retry_after_s=7),
        paths=dataclasses.replace(Config().paths, tools=str(Path("elsewhere"))),
    )
    live, waiting = settings.split(new)
    assert set(live) == {"limits.max_calls", "sip.retry_after_s"}
    assert set(waiting) == {"sip.listen_port", "paths.tools"}
    assert changes(settings.plan(new), new) == waiting


def test_another_certificate_of_the_api_counts_at_once_and_its_first_one_after_a_restart() -> None:
    settings = LiveSettings(Config(), None)  # type: ignore[arg-type]
    first, second = (ApiConfig(tls_cert=f"{name}.pem", tls_key=f"{name}.key") for name in ("first", "second"))
    begun = dataclasses.replace(first, session_h=1.0)
    assert settings.split(Config(api=begun)) == (("api.session_h",), ("api.tls_cert", "api.tls_key"))
    settings.current = Config(api=first)
    assert settings.split(Config(api=second)) == (("api.tls_cert", "api.tls_key"), ())
    assert settings.split(Config())[1] == ("api.tls_cert", "api.tls_key")
