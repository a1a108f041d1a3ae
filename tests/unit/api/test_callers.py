"""What is kept of a number by HTTP: found, given out, erased with a proof, and nowhere to be seen afterwards."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.api.rig import Rig
from tests.unit.storage.sample_call import sample_call
from voicegw.api.outbox import Outbox
from voicegw.api.permissions import EVERYTHING
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolIntent, ToolResult
from voicegw.storage.erasure import Order
from voicegw.storage.erasure import erase as erase_calls
from voicegw.storage.node_files import Scope
from voicegw.storage.tool_ledger import SqliteToolLedger
from voicegw.storage.webhooks import Delivery, DeliveryState, Subscription

MINE, OTHER = "+49301234", "+49305678"
SAID = "xylophone marmalade"


@pytest.fixture
def kept(rig: Rig) -> Rig:
    """Two calls of one number with all that belongs to them, one of another, and one that goes on."""
    rig.user("ada", "admin")
    rig.user("aud", "auditor")
    rig.call(1, calling=MINE, said=SAID)
    rig.call(2, calling="200", called=MINE)
    rig.call(3, calling=OTHER)
    for number in (1, 3):
        rig.recording(number, b"RIFF")
    rig.run(use_tool(rig.directory / "tools.sqlite"))
    rig.run(messages(rig))
    return rig


async def use_tool(path: Path) -> None:
    ledger = SqliteToolLedger(path)
    intent = ToolIntent(IdempotencyKey("k1"), CallId("c1"), "book", ToolEffect.ONCE, f'{{"w":"{SAID}"}}', 1.0, MINE)
    assert (await ledger.claim(intent)).granted
    await ledger.conclude(IdempotencyKey("k1"), ToolResult.done({"ok": True}), 2.0)
    await ledger.close()


async def messages(rig: Rig) -> None:
    """One that was delivered, one that waits, one that is dead, and one about somebody else."""
    async with rig.parts.store.write() as unit:
        sealed = rig.parts.vault.seal("secret", "webhook w_1")
        await unit.subscriptions.add(Subscription("w_1", "crm", "https://crm.example", sealed, 1, 1))
        for number, text in enumerate(
            (f'{{"call_id":"c1","text":"{SAID}"}}', f'{{"calling":"{MINE}"}}', '{"c":3}')
        ):
            await unit.deliveries.enqueue(["w_1"], f"e{number}", "CallerSpoke", text, now_wall_ms=1)


async def deliveries(rig: Rig) -> list[Delivery]:
    async with rig.parts.store.read() as unit:
        return await unit.deliveries.page()


def erase(rig: Rig) -> dict[str, Any]:
    answer = rig.post(f"/v1/callers/{MINE}/erasure", "ada", json={"reason": "case 4711"})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_number_is_found_by_class(kept: Rig) -> None:
    found = kept.get(f"/v1/callers/{MINE}", "aud").json()
    assert (found["calls"], found["open_calls"], found["recordings"]) == (2, [], 2)
    assert (found["tool_entries"], found["webhook_deliveries"]) == (1, 1)
    assert found["transcript_lines"] == 8 and found["events"] > 20
    assert kept.get("/v1/callers/+490000", "aud").json()["calls"] == 0
    assert [row["action"] for row in kept.audit()] == ["caller.find", "caller.find"]


def test_the_export_has_the_calls_the_recording_and_the_tools(kept: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(kept.directory / "recordings")
    answer = kept.get(f"/v1/callers/{MINE}/export", "aud")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(archive.namelist()) == ["calls/c1.json", "calls/c2.json", "recordings/c1.wav", "tools.json"]
    assert SAID in archive.read("calls/c1.json").decode()
    assert json.loads(archive.read("tools.json"))[0]["intent"]["tool"] == "book"
    assert kept.audit()[-1]["action"] == "caller.export"


def test_an_erasure_leaves_a_proof_and_nothing_else(kept: Rig) -> None:
    kept.get(f"/v1/callers/{MINE}", "aud")
    done = erase(kept)
    made = done["certificate"]
    assert [one["call_id"] for one in made["calls"]] == ["c1", "c2"] and done["open_calls"] == []
    assert (made["recording_files"], made["tool_entries"], made["webhook_deliveries"]) == (1, 1, 2)
    assert made["whole"] and made["noted"] and made["about_number"]
    assert [one.payload_json for one in kept.run(deliveries(kept))] == ['{"c":3}']
    # The proof is there for auditors, and names the number to those who know it.
    assert kept.get("/v1/erasures", "aud").json()["items"][0]["id"] == made["id"]
    proof = f"/v1/erasures/{made['id']}"
    assert kept.get(proof, "aud").json()["about_number"] is None
    assert kept.get(f"{proof}?number=%2B490000", "aud").json()["about_number"] is False
    assert kept.get(f"{proof}?number=%2B49301234", "aud").json()["about_number"] is True
    # Nothing is left, and the audit says who asked without saying for whom.
    found = kept.get("/v1/callers/+49301234", "aud").json()
    assert [found[name] for name in ("calls", "recordings", "tool_entries", "webhook_deliveries")] == [0] * 4
    erased = kept.audit()[:2]
    assert [row["action"] for row in erased] == ["caller.find", "caller.erase"]
    assert all(MINE not in f"{row}" for row in erased)
    assert kept.get(f"/v1/callers/{OTHER}", "aud").json()["calls"] == 1


def test_a_call_that_goes_on_is_told_of(kept: Rig) -> None:
    kept.run(kept._store_call(4, sample_call(4, calling=MINE)[:5]))
    assert erase(kept)["open_calls"] == ["c4"]


def test_nothing_of_it_is_replayed_to_watchers(kept: Rig) -> None:
    kept.live(1, facts=20, calling=MINE, said=SAID)
    kept.live(3, facts=5, calling=OTHER)
    erase(kept)
    watcher, _lost = kept.parts.hub.watch(EVERYTHING, None, "boot-0")
    texts = b"".join(event.text for event in kept.run(watcher.next(0.0)))
    assert SAID.encode() not in texts and OTHER.encode() in texts


def test_a_file_that_cannot_be_removed_leaves_no_certificate(kept: Rig) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    assert kept.parts.keeper is not None and kept.parts.files is not None
    kept.parts.keeper._files = replace(kept.parts.files, remove=refuse)
    answer = kept.post(f"/v1/callers/{MINE}/erasure", "ada", json={"reason": "case 4711"})
    assert answer.status_code == 503 and "Permission denied" in answer.json()["detail"]
    assert kept.get("/v1/erasures", "aud").json()["items"] == []


def test_a_message_that_is_erased_while_it_is_sent_harms_no_other(kept: Rig) -> None:
    """The outbox must outlive what goes under its hands."""

    async def deliver() -> None:
        async def answer(request: httpx.Request) -> httpx.Response:
            if SAID.encode() in request.content:
                async with parts.store.write() as unit:
                    await erase_calls(unit, Order(Scope.EVERYTHING, "asked", "ada", 1, subject=MINE), ["c1"])
            return httpx.Response(200)

        parts = kept.parts
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await Outbox(parts.store, parts.vault, http, parts.clock, parts.random, parts.counters).deliver_due()

    kept.run(deliver())
    assert [(one.payload_json, one.state) for one in kept.run(deliveries(kept))] == [
        ('{"c":3}', DeliveryState.DELIVERED)
    ]
