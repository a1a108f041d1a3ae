"""Webhooks from the fact to the receiver: signed, tried again, given up, sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import httpx
import msgspec

from tests.unit.api.rig import Rig
from voicegw.api.outbox import MAX_ATTEMPTS, Outbox
from voicegw.api.webhook_signature import TOLERANCE_S, retry_delay_s, sign, verify

SECRET = "a secret of twenty signs"


class Receiver:
    """Remembers what came; answers what the test says."""

    def __init__(self) -> None:
        self.came: list[httpx.Request] = []
        self.answers: Callable[[], httpx.Response] = lambda: httpx.Response(204)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.came.append(request)
        return self.answers()


def subscribed(rig: Rig, *kinds: str) -> tuple[Receiver, Outbox]:
    rig.user("ada", "admin")
    body = {"name": "crm", "url": "https://crm.example/calls", "kinds": list(kinds), "secret": SECRET}
    made = rig.post("/v1/webhooks", "ada", json=body)
    assert made.status_code == 201, made.text
    receiver = Receiver()
    http = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
    parts = rig.parts
    return receiver, Outbox(parts.store, parts.vault, http, parts.clock, parts.random, parts.counters)


def deliveries(rig: Rig, query: str = "") -> list[dict[str, object]]:
    webhook = rig.get("/v1/webhooks", "ada").json()["items"][0]["id"]
    items: list[dict[str, object]] = rig.get(f"/v1/webhooks/{webhook}/deliveries{query}", "ada").json()["items"]
    return items


def _wait_s(rig: Rig) -> float:
    """Until the next attempt."""
    at = datetime.fromisoformat(str(deliveries(rig)[0]["next_attempt_at"]))
    return max(0.0, at.timestamp() - rig.clock.wall())


def test_facts_that_are_wanted_are_told_once_and_signed(rig: Rig) -> None:
    receiver, outbox = subscribed(rig, "CallHasEnded", "CallWasOffered")
    rig.call(0)
    assert rig.run(outbox.deliver_due()) == 2
    assert rig.run(outbox.deliver_due()) == 0
    request = receiver.came[0]
    body = msgspec.json.decode(request.content)
    assert (body["id"], body["kind"], body["event"]["data"]["called"]) == ("c0-0", "CallWasOffered", "100")
    signature = request.headers["X-Voicegw-Signature"]
    assert verify(SECRET, request.content, signature, rig.clock.wall())
    assert [one["state"] for one in deliveries(rig)] == ["delivered", "delivered"]


def test_a_receiver_that_fails_is_asked_again_ever_later_and_then_given_up(rig: Rig) -> None:
    receiver, outbox = subscribed(rig, "CallHasEnded")
    receiver.answers = lambda: httpx.Response(500)
    rig.call(0)
    gaps: list[float] = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert rig.run(outbox.deliver_due()) == 1, attempt
        gap = 0.0
        while attempt < MAX_ATTEMPTS and _wait_s(rig) > 0:
            gap += _wait_s(rig)
            rig.clock.advance(_wait_s(rig))
        gaps.append(gap)
    assert all(0.5 * retry_delay_s(n, 0.0) <= gaps[n - 1] <= retry_delay_s(n, 0.0) + 1 for n in range(1, 10))
    assert len(receiver.came) == MAX_ATTEMPTS
    [dead] = deliveries(rig, "?state=dead")
    address = f"/v1/webhooks/{dead['webhook_id']}/deliveries/{dead['id']}"
    tries = rig.get(address, "ada").json()["tries"]
    assert len(tries) == MAX_ATTEMPTS and {one["error"] for one in tries} == {"HTTP 500"}
    receiver.answers = lambda: httpx.Response(200)
    assert rig.post(f"{address}/retry", "ada").status_code == 202
    rig.run(outbox.deliver_due())
    assert rig.get(address, "ada").json()["state"] == "delivered"


def test_what_does_not_answer_is_a_failure_with_a_reason(rig: Rig) -> None:
    receiver, outbox = subscribed(rig, "CallHasEnded")

    def refuse() -> httpx.Response:
        raise httpx.ConnectError("nobody listens")

    receiver.answers = refuse
    rig.call(0)
    rig.run(outbox.deliver_due())
    [pending] = deliveries(rig, "?state=pending")
    tries = rig.get(f"/v1/webhooks/{pending['webhook_id']}/deliveries/{pending['id']}", "ada").json()["tries"]
    assert (tries[0]["status"], tries[0]["error"]) == (0, "ConnectError: nobody listens")


def test_an_address_that_is_no_name_holds_up_no_other(rig: Rig) -> None:
    """``xn--a`` stands for no letters that a name may have: httpx says so by an error that is none of its own."""
    receiver, outbox = subscribed(rig, "CallHasEnded")
    body = {"name": "odd", "url": "http://xn--a/calls", "kinds": ["CallHasEnded"], "secret": SECRET}
    odd = rig.post("/v1/webhooks", "ada", json=body).json()["id"]
    rig.call(0)
    assert rig.run(outbox.deliver_due()) == 2
    assert len(receiver.came) == 1
    [pending] = rig.get(f"/v1/webhooks/{odd}/deliveries", "ada").json()["items"]
    tries = rig.get(f"/v1/webhooks/{odd}/deliveries/{pending['id']}", "ada").json()["tries"]
    assert pending["state"] == "pending" and "InvalidCodepoint" in tries[0]["error"]


def test_a_webhook_that_is_off_or_gone_is_told_nothing(rig: Rig) -> None:
    receiver, outbox = subscribed(rig)
    webhook = rig.get("/v1/webhooks", "ada").json()["items"][0]
    body = {"name": "crm", "url": "https://crm.example/calls", "enabled": False}
    address = f"/v1/webhooks/{webhook['id']}"
    assert rig.put(address, "ada", json=body, headers={"If-Match": '"1"'}).status_code == 200
    rig.call(0)
    assert rig.run(outbox.deliver_due()) == 0 and receiver.came == []
    assert rig.delete(address, "ada", headers={"If-Match": "*"}).status_code == 204


def test_signatures_are_bound_to_time_body_and_secret() -> None:
    header = sign("secret", b"body", 1000)
    assert verify("secret", b"body", header, 1000 + TOLERANCE_S)
    assert not verify("secret", b"body", header, 1001 + TOLERANCE_S)
    assert not verify("secret", b"bodY", header, 1000)
    assert not verify("other", b"body", header, 1000)
    assert not verify("secret", b"body", header.replace("t=1000", "t=1001"), 1001)
    for nonsense in ("", "t=,v1=", "t=x,v1=y", "v1=00", "t=" + "9" * 40):
        assert not verify("secret", b"body", nonsense, 1000)


def test_pauses_double_up_to_an_hour_and_jitter_shortens_them_by_half_at_most() -> None:
    assert [retry_delay_s(n, 0.0) for n in (1, 2, 3, 20)] == [2.0, 4.0, 8.0, 3600.0]
    assert retry_delay_s(3, 1.0) == 4.0
