"""Browsers that connect by the API: what they may, what becomes of them, and the page they use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.api.fake_peer import OFFER, FakePeer
from tests.unit.api.rig import Rig
from voicegw.api.browser_audio import ice_accounts
from voicegw.api.browser_config import BrowserAudioConfig, IceServer
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId, LegId
from voicegw.gateway.events import LegAnswered, LegEnded, LegEvent
from voicegw.runtime.browser_legs import browser_uri

PATH = "/v1/live/calls/c1/supervision/browser"
LEG = LegId("leg")
URI = browser_uri(CallId("c1"), "u_ada")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.user("ada", "supervisor")
    rig.live(1)
    yield rig
    rig.close()


@pytest.fixture
def events(rig: Rig) -> list[LegEvent]:
    found: list[LegEvent] = []
    rig.browser_legs.on_event = found.append
    return found


def connect(rig: Rig) -> FakePeer:
    answer = rig.post(PATH, "ada", json={"sdp": OFFER})
    assert (answer.status_code, answer.json()) == (200, {"sdp": "v=0 of an answer"})
    return rig.peers.made[-1]


def turn(rig: Rig, *acts: Callable[[], object]) -> None:
    """Do this, and let each have its effect: it goes from loop to loop and back."""

    async def work() -> None:
        for act in (*acts, lambda: None):
            act()
            for _ in range(20):
                await asyncio.sleep(0)

    rig.run(work())


def dial(rig: Rig) -> None:
    rig.browser_legs.dial(LEG, URI, 4000)


def test_a_browser_connects_is_dialled_and_speaks(rig: Rig, events: list[LegEvent]) -> None:
    peer = connect(rig)
    turn(rig, lambda: dial(rig))
    assert events == []
    turn(rig, peer.speak)
    (answered,) = events
    assert isinstance(answered, LegAnswered) and answered.session.remote_port > 0
    turn(rig, peer.events.left)
    assert events[1:] == [LegEnded(LEG, HangupCause.CALLER_HANGUP)]
    assert peer.closed == 1


def test_a_lost_connection_ends_the_leg(rig: Rig, events: list[LegEvent]) -> None:
    peer = connect(rig)
    turn(rig, lambda: dial(rig), peer.speak, peer.events.lost)
    assert events[-1] == LegEnded(LEG, HangupCause.NO_MEDIA)
    assert peer.closed == 1


def test_a_page_that_is_loaded_anew_takes_the_place_of_the_old_one(rig: Rig, events: list[LegEvent]) -> None:
    old = connect(rig)
    turn(rig, lambda: dial(rig), old.speak)
    new = connect(rig)
    turn(rig)
    assert events[-1] == LegEnded(LEG, HangupCause.CALLER_HANGUP)
    assert (old.closed, new.closed) == (1, 0)
    turn(rig, lambda: dial(rig), new.speak)
    assert isinstance(events[-1], LegAnswered)


def test_connecting_is_audited_and_an_offer_without_sense_is_refused(rig: Rig) -> None:
    refused = rig.post(PATH, "ada", json={"sdp": "nonsense"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "sdp"
    turn(rig)
    assert rig.peers.made[-1].closed == 1
    assert [row["action"] for row in rig.audit()] == ["call.connect_browser"]


def test_there_is_a_limit(rig: Rig, tmp_path: Path) -> None:
    assert rig.parts.browsers is not None
    for number in range(BrowserAudioConfig().max_connections):
        rig.user(f"user{number}", "supervisor")
        assert rig.post(PATH, f"user{number}", json={"sdp": OFFER}).status_code == 200
    assert rig.post(PATH, "ada", json={"sdp": OFFER}).status_code == 409


def test_ice_servers_have_their_passwords_from_the_environment() -> None:
    config = BrowserAudioConfig((IceServer("turn:turn.example:3478", "voicegw", "TURN_PASSWORD"),))
    (account,) = ice_accounts(config, {"TURN_PASSWORD": "secret"})
    assert (account.url, account.username, account.credential) == ("turn:turn.example:3478", "voicegw", "secret")
    with pytest.raises(ConfigError, match="TURN_PASSWORD"):
        ice_accounts(config, {})
    for url, username in (("http://x", ""), ("stun:", ""), ("turn:host", "")):
        with pytest.raises(ConfigError):
            IceServer(url, username)


def test_pages_learn_which_servers_to_use(rig: Rig) -> None:
    assert rig.get("/v1/live/browser-audio", "ada").json() == {"ice_servers": []}


def test_the_page_loads_nothing_from_elsewhere(rig: Rig) -> None:
    page = rig.get("/console")
    policy = page.headers["Content-Security-Policy"]
    assert page.status_code == 200
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for name in ("console.css", "console.js", "api.js", "line.js", "sound.js"):
        part = rig.get(f"/console/{name}")
        assert (part.status_code, part.headers["Content-Security-Policy"]) == (200, policy)
        assert "http" not in part.text.replace('"https:"', "")
    assert rig.get("/console/secrets.key").status_code == 404
    assert rig.get("/console/..%2Fapp.py").status_code == 404
