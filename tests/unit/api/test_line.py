"""Trunks and bans by the API: what is seen, by whom, and what is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.unit.api.rig import Rig
from voicegw.gateway.registrations import RegistrationSnapshot
from voicegw.gateway.trunk_health import Health, HealthSnapshot

REGISTRATION = RegistrationSnapshot(
    "mine", "sip:us@far.test", False, "waiting", 0.0, 12.34, 403, "Forbidden", 2, "UDP 192.0.2.1:5060", ()
)
HEALTH = HealthSnapshot("mine", Health.DOWN, 7.77, 408, 0.0, 3, (), "no answer to OPTIONS")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    made.user("boss", "admin")
    made.team("sales", trunks=("mine",))
    made.user("seller", "supervisor", teams=("sales",))
    yield made
    made.close()


def test_how_trunks_stand(rig: Rig) -> None:
    state = rig.line.states[0]
    why = "no answer to OPTIONS"
    error = "REGISTER: 403 Forbidden"
    rig.line.states[0] = replace(
        state, up=False, why=why, registration=REGISTRATION, health=HEALTH, last_error=error
    )
    mine, theirs = rig.get("/v1/trunk-states", "boss").json()
    assert (mine["up"], mine["why"], mine["calls"], mine["last_error"]) == (
        False,
        why,
        2,
        "REGISTER: 403 Forbidden",
    )
    assert mine["registration"]["status"] == 403 and mine["registration"]["next_try_in_s"] == 12.3
    assert (mine["health"]["health"], mine["health"]["unanswered"]) == ("down", 3)
    assert (theirs["up"], theirs["registration"], theirs["health"]) == (True, None, None)
    assert [one["name"] for one in rig.get("/v1/trunk-states", "seller").json()] == ["mine"]


def test_bans_are_seen_ordered_and_lifted_and_all_is_noted(rig: Rig) -> None:
    (one,) = rig.get("/v1/guard/bans", "boss").json()
    assert (one["host"], one["ends_in_s"]) == ("203.0.113.9", 60.0)
    assert rig.delete("/v1/guard/bans/203.0.113.9", "boss").status_code == 204
    assert rig.delete("/v1/guard/bans/203.0.113.9", "boss").status_code == 404
    order = {"host": "[2001:db8::9]", "seconds": 60}
    assert rig.post("/v1/guard/bans", "boss", json=order).status_code == 204
    assert rig.line.ignored == {"2001:db8::9": 60.0}
    assert [(one["action"], one["id"]) for one in rig.audit()][-2:] == [
        ("guard.pardon", "203.0.113.9"),
        ("guard.ban", "2001:db8::9"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"host": "pbx.test"}, 422),
        ({"host": "127.0.0.1"}, 409),
        ({"host": "192.0.2.1", "seconds": 0}, 422),
        ({"host": "192.0.2.1", "why": "x"}, 422),
    ],
)
def test_whom_nobody_can_ignore(rig: Rig, body: dict[str, object], status: int) -> None:
    assert rig.post("/v1/guard/bans", "boss", json=body).status_code == status


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("2001:DB8:0:0::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(rig: Rig, written: str, host: str) -> None:
    assert rig.post("/v1/guard/bans", "boss", json={"host": written}).status_code == 204
    assert host in [one["host"] for one in rig.get("/v1/guard/bans", "boss").json()]
    assert rig.delete(f"/v1/guard/bans/{quote(written, safe='')}", "boss").status_code == 204
