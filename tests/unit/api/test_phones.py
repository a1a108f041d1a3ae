"""Phones by the API: made, seen, changed and removed, and no password anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.api.rig import Rig
from voicegw.api.vault import phone_context
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.phone_secret import hashes_of, read_secret
from voicegw.storage.phones import Phone

NEW = {"If-None-Match": "*"}
PASSWORD = "correct horse"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    made.user("boss", "admin")
    yield made
    made.close()


async def stored(rig: Rig, name: str) -> Phone:
    async with rig.parts.store.read() as unit:
        found = await unit.phones.by_name(name)
    assert found is not None
    return found


def test_a_phone_is_made_and_its_password_is_kept_as_hashes_under_seal(rig: Rig) -> None:
    body = {"display_name": "Desk 4", "owner": "bert", "password": PASSWORD}
    made = rig.put("/v1/phones/bert", "boss", json=body, headers=NEW)
    assert made.status_code == 200 and made.headers["ETag"] == '"1"'
    assert made.json() == {
        "name": "bert",
        "address": "sip:bert@voice.test",
        "display_name": "Desk 4",
        "owner": "bert",
        "enabled": True,
        "configured": "store",
        "registered": False,
        "devices": [],
        "calls": 0,
    }
    assert rig.phones.changes == 1
    row = rig.run(stored(rig, "bert"))
    assert row.secret_sealed is not None and PASSWORD.encode() not in row.secret_sealed
    secret = rig.parts.vault.open(row.secret_sealed, phone_context(row.id))
    assert PASSWORD not in secret
    assert read_secret(secret, "voice.test") == hashes_of("bert", "voice.test", PASSWORD)
    assert PASSWORD not in rig.get("/v1/audit", "boss").text


def test_without_a_domain_there_is_no_registrar(rig: Rig) -> None:
    assert rig.get("/v1/phones", "boss").status_code == 200
    rig.phones.domain = ""
    for answer in (rig.get("/v1/phones", "boss"), rig.get("/v1/phones/bert", "boss")):
        assert answer.status_code == 404 and "registrar" in answer.text


def test_a_phone_is_changed_without_losing_its_password_and_removed(rig: Rig) -> None:
    rig.put("/v1/phones/bert", "boss", json={"password": PASSWORD}, headers=NEW)
    before = rig.run(stored(rig, "bert"))
    changed = rig.put("/v1/phones/bert", "boss", json={"enabled": False}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200 and not changed.json()["enabled"]
    assert rig.run(stored(rig, "bert")).secret_sealed == before.secret_sealed
    assert rig.put("/v1/phones/bert", "boss", json={}, headers={"If-Match": '"1"'}).status_code == 412
    assert rig.delete("/v1/phones/bert", "boss", headers={"If-Match": '"2"'}).status_code == 204
    assert rig.get("/v1/phones/bert", "boss").status_code == 404
    assert rig.phones.changes == 3


def test_phones_of_the_file_are_seen_with_who_is_there_but_not_changed(rig: Rig) -> None:
    state = rig.phones.states["anna"]
    rig.phones.states["anna"] = replace(state, registered=True, calls=1, devices=("Desk phone",))
    rig.phones.states["zoe"] = PhoneState("zoe", "", "", registered=False, calls=0)
    rig.put("/v1/phones/bert", "boss", json={}, headers=NEW)
    listed = rig.get("/v1/phones", "boss").json()
    assert [(one["name"], one["configured"]) for one in listed] == [
        ("anna", "file"),
        ("bert", "store"),
        ("zoe", "file"),
    ]
    assert (listed[0]["registered"], listed[0]["calls"], listed[0]["devices"]) == (True, 1, ["Desk phone"])
    assert rig.get("/v1/phones/anna", "boss").json() == listed[0]
    assert rig.put("/v1/phones/anna", "boss", json={}, headers=NEW).status_code == 409
    assert rig.delete("/v1/phones/anna", "boss", headers={"If-Match": '"1"'}).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("bert", {"password": "short"}, 422), ("bert", {"secret": "x"}, 422), ("be@rt", {}, 409)],
)
def test_what_cannot_be_a_phone(rig: Rig, name: str, body: dict[str, str], status: int) -> None:
    assert rig.put(f"/v1/phones/{name}", "boss", json=body, headers=NEW).status_code == status
