"""The INVITEs of carriers, as ``docs/trunks/profiles.yaml`` has them, by sipp to a server with its trunks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.introductions import Introduction, Taken, take_all
from tests.interop.server import Server
from voicegw.testing.trunk_profiles import Plays, Profile, profiles

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PLAYED = {name: one for name, one in profiles(Path(__file__).parents[2]).items() if one.plays is not None}
_ELSEWHERE = {"name", "hosts", "transport", "outbound_proxies", "username", "password_env", "realm"} | {
    *("register_there", "registration", "carries", "refuses"),
}
"""What needs the carrier itself: the calls that come are known by their address here."""
_FIRST_HOST = 21


def as_here(profile: Profile, host: str) -> dict[str, Any]:
    """The trunk of a profile, whose carrier is at ``host``."""
    trunk = yaml.safe_load(profile.trunk)
    kept = {key: value for key, value in trunk.items() if key not in _ELSEWHERE}
    return kept | {"allowed_addresses": [host]}


def call(name: str, plays: Plays, host: str) -> Introduction:
    """Their INVITE."""
    places = {"here": "[remote_ip]:[remote_port]", "there": "[local_ip]:[local_port]"}
    uri, sender, receiver, *headers = (
        line.format_map(places) for line in (plays.uri, plays.sender, plays.receiver, *plays.headers)
    )
    return Introduction(name, host, tuple(headers), uri=uri, sender=sender, receiver=receiver)


def route(name: str, plays: Plays) -> dict[str, Any]:
    """That takes the call only where it is understood."""
    match: dict[str, Any] = {"trunk": name, "called": plays.called, "calling": plays.calling}
    if plays.header:
        match["header"] = {plays.header: {"present": True}}
    return {"name": name, "match": match, "agent": "who_calls"}


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Taken]]:
    """All calls, at once, by the names of their carriers; each side has heard the other."""
    work = tmp_path_factory.mktemp("carriers")
    hosts = {name: f"127.0.0.{_FIRST_HOST + number}" for number, name in enumerate(PLAYED)}
    plays = {name: one.plays for name, one in PLAYED.items() if one.plays is not None}
    server = Server(work, agent="who_calls", routes=[route(name, one) for name, one in plays.items()])
    for name, one in PLAYED.items():
        server.write_trunk(name, **as_here(one, hosts[name]))
    with server:
        yield take_all(server, work, [call(name, one, hosts[name]) for name, one in plays.items()])


@pytest.mark.parametrize("name", PLAYED)
def test_a_call_of_the_carrier_is_understood(name: str, taken: dict[str, Taken]) -> None:
    plays = PLAYED[name].plays
    assert plays is not None
    taken[name].says(trunk=name, route=name, called=plays.called, calling=plays.calling)
    taken[name].says(diverted_by=plays.diverted_by)
    routes = [line for line in plays.headers if line.startswith("Record-Route")]
    assert bool(taken[name].answer.header("Record-Route")) == bool(routes), "later requests go by their proxies"
