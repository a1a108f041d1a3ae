"""Every route × every role × own or foreign object. A route that has no row here fails the test.

``mine`` belongs to the team ``sales``, ``theirs`` to nobody. Each role is tried by somebody without limits and by
somebody who is limited to sales. Requests are made so that being allowed changes nothing: with an ETag that is
stale (412), or a body that has a mistake (422), where the route would change something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from sqlalchemy import insert
from starlette.routing import BaseRoute

from tests.unit.api.rig import Rig
from voicegw.api import tokens
from voicegw.api.permissions import ROLE_PERMISSIONS, Permission, Role
from voicegw.storage.certificates import encode
from voicegw.storage.erasure import Order, erase
from voicegw.storage.node_files import Scope
from voicegw.storage.tables.proofs import erasures
from voicegw.storage.users import ApiKey
from voicegw.storage.webhooks import Subscription

P = Permission
AGENT = "name: {name}\nsteps:\n  - hangup: Goodbye.\n"
STALE = {"If-Match": '"stale"'}
REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Row:
    """What a route asks for, and a request that shows it.

    ``permission`` None: anybody who is logged in. ``owned``: values of ``{own}`` in the path, mine and theirs.
    ``unlimited``: only for people without limits.
    """

    permission: Permission | None = None
    owned: tuple[str, str] | None = None
    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    unlimited: bool = False
    public: bool = False
    text: str = ""


USER = ("u_mine", "u_theirs")
NAME = ("mine", "theirs")
CALL = ("c1", "c2")
LIVE = ("c3", "c4")
DRAFT = {"text": "name: mine"}
MISTAKE: dict[str, Any] = {"there is": "no such field"}
DOCUMENT_ROWS = {
    ("GET", "/v1/{kind}s"): Row(P.CONFIG_READ),
    ("GET", "/v1/{kind}s/{name}"): Row(P.CONFIG_READ, NAME),
    ("PUT", "/v1/{kind}s/{name}"): Row(P.CONFIG_WRITE, NAME, body=DRAFT, headers=STALE),
    ("DELETE", "/v1/{kind}s/{name}"): Row(P.CONFIG_PUBLISH, NAME, headers=STALE),
    ("POST", "/v1/{kind}s/{name}/validate"): Row(P.CONFIG_READ, NAME, body={"text": "nonsense"}),
    ("POST", "/v1/{kind}s/{name}/publish"): Row(P.CONFIG_PUBLISH, NAME, body={"version": 1}, headers=STALE),
    ("GET", "/v1/{kind}s/{name}/versions"): Row(P.CONFIG_READ, NAME),
    ("GET", "/v1/{kind}s/{name}/versions/{version}"): Row(P.CONFIG_READ, NAME, {"version": "1"}),
    ("GET", "/v1/{kind}s/{name}/diff"): Row(P.CONFIG_READ, NAME, query="?old=1&new=1"),
}
ROWS: dict[tuple[str, str], Row] = {
    **{
        (method, path.replace("{kind}", kind)): row
        for kind in ("agent", "dialplan")
        for (method, path), row in DOCUMENT_ROWS.items()
    },
    ("GET", "/healthz"): Row(public=True),
    ("GET", "/readyz"): Row(public=True),
    ("GET", "/setup"): Row(public=True),
    ("GET", "/invitation"): Row(public=True),
    ("GET", "/console"): Row(public=True),
    ("GET", "/console/{name}"): Row(public=True, path={"name": "console.js"}),
    ("GET", "/metrics"): Row(P.METRICS),
    ("POST", "/v1/setup"): Row(public=True, body=MISTAKE),
    ("POST", "/v1/invitation"): Row(public=True, body=MISTAKE),
    ("POST", "/v1/session"): Row(public=True, body=MISTAKE),
    ("GET", "/v1/session"): Row(),
    ("DELETE", "/v1/session"): Row(),
    ("POST", "/v1/me/password"): Row(body=MISTAKE),
    ("POST", "/v1/me/totp"): Row(),
    ("PUT", "/v1/me/totp"): Row(body=MISTAKE),
    ("POST", "/v1/me/totp/removal"): Row(body=MISTAKE),
    ("GET", "/v1/users"): Row(P.USERS),
    ("POST", "/v1/users"): Row(P.USERS, body=MISTAKE),
    ("GET", "/v1/users/{user_id}"): Row(P.USERS, USER),
    ("PUT", "/v1/users/{user_id}"): Row(P.USERS, USER, body={"name": "mine"}, headers=STALE),
    ("DELETE", "/v1/users/{user_id}"): Row(P.USERS, USER, headers=STALE),
    ("POST", "/v1/users/{user_id}/invitation"): Row(P.USERS, USER),
    ("GET", "/v1/keys"): Row(),
    ("POST", "/v1/keys"): Row(body=MISTAKE),
    ("DELETE", "/v1/keys/{key_id}"): Row(owned=("k_spare_{user}", "k_theirs"), unlimited=False),
    ("GET", "/v1/teams"): Row(P.CONFIG_READ),
    ("GET", "/v1/teams/{name}"): Row(P.CONFIG_READ, ("sales", "service")),
    ("PUT", "/v1/teams/{name}"): Row(P.USERS, ("sales", "service"), body={}, headers=STALE, unlimited=True),
    ("DELETE", "/v1/teams/{name}"): Row(P.USERS, ("sales", "service"), headers=STALE, unlimited=True),
    ("GET", "/v1/bundle"): Row(P.CONFIG_READ, unlimited=True),
    ("GET", "/v1/agents/{name}/bundle"): Row(P.CONFIG_READ, NAME),
    ("POST", "/v1/bundle"): Row(P.CONFIG_PUBLISH, text="nonsense"),
    ("POST", "/v1/route-test"): Row(P.CONFIG_READ, body={"called": "1", "dialplan": "mine"}),
    ("GET", "/v1/trunks"): Row(P.CONFIG_READ),
    ("GET", "/v1/trunks/{name}"): Row(P.CONFIG_READ, NAME),
    ("PUT", "/v1/trunks/{name}"): Row(P.TRUNKS, NAME, body={"settings": {"host": "x"}}, headers=STALE),
    ("DELETE", "/v1/trunks/{name}"): Row(P.TRUNKS, NAME, headers=STALE),
    ("GET", "/v1/phones"): Row(P.CONFIG_READ),
    ("GET", "/v1/phones/{name}"): Row(P.CONFIG_READ, path={"name": "bert"}),
    ("PUT", "/v1/phones/{name}"): Row(P.TRUNKS, path={"name": "bert"}, body={}, headers=STALE, unlimited=True),
    ("DELETE", "/v1/phones/{name}"): Row(P.TRUNKS, path={"name": "bert"}, headers=STALE, unlimited=True),
    ("GET", "/v1/trunk-states"): Row(P.CONFIG_READ),
    ("GET", "/v1/guard/bans"): Row(P.CONFIG_READ),
    ("POST", "/v1/guard/bans"): Row(P.TRUNKS, body={"host": "127.0.0.1"}, unlimited=True),
    ("DELETE", "/v1/guard/bans/{host}"): Row(P.TRUNKS, path={"host": "nobody"}, unlimited=True),
    ("GET", "/v1/nodes"): Row(P.CONFIG_READ),
    ("GET", "/v1/node"): Row(P.OPERATE),
    ("POST", "/v1/node/drain"): Row(P.OPERATE, body={"farewell": "transfer"}, unlimited=True),
    ("POST", "/v1/node/reload"): Row(P.OPERATE, unlimited=True),
    ("DELETE", "/v1/node/drain"): Row(P.OPERATE, unlimited=True),
    ("GET", "/v1/calls"): Row(P.CALLS_READ),
    ("POST", "/v1/calls"): Row(P.ORIGINATE, body=MISTAKE),
    ("POST", "/v1/audiosocket/calls"): Row(P.ORIGINATE, body={"uuid": str(UUID(int=7))}, unlimited=True),
    ("GET", "/v1/calls/{call_id}"): Row(P.CALLS_READ, CALL),
    ("GET", "/v1/calls/{call_id}/transcript"): Row(P.TRANSCRIPTS, CALL),
    ("GET", "/v1/calls/{call_id}/events"): Row(P.TRANSCRIPTS, CALL),
    ("GET", "/v1/calls/{call_id}/ladder"): Row(P.CALLS_READ, CALL),
    ("GET", "/v1/calls/{call_id}/ladder/text"): Row(P.CALLS_READ, CALL),
    ("GET", "/v1/calls/{call_id}/ladder/pcap"): Row(P.CALLS_READ, CALL),
    ("GET", "/v1/calls/{call_id}/recording"): Row(P.RECORDINGS, CALL),
    ("GET", "/v1/live/calls"): Row(P.LIVE),
    ("GET", "/v1/live/calls/{call_id}"): Row(P.LIVE, LIVE),
    ("GET", "/v1/live/events"): Row(P.LIVE, query="?after=" + "x" * 200),
    ("POST", "/v1/calls/{call_id}/capture"): Row(P.CAPTURE, LIVE, body={"audio": True}),
    ("DELETE", "/v1/calls/{call_id}/capture"): Row(P.CAPTURE, LIVE),
    ("GET", "/v1/calls/{call_id}/capture"): Row(P.CAPTURE, CALL),
    ("POST", "/v1/captures"): Row(P.CAPTURE, body=MISTAKE),
    ("GET", "/v1/captures"): Row(P.CAPTURE),
    ("DELETE", "/v1/captures/{capture_id}"): Row(P.CAPTURE, path={"capture_id": "k1"}, unlimited=True),
    ("POST", "/v1/live/calls/{call_id}/supervision"): Row(
        P.SUPERVISE, LIVE, body={"mode": "listen", "address": "webrtc"}
    ),
    ("GET", "/v1/live/browser-audio"): Row(P.SUPERVISE),
    ("POST", "/v1/live/calls/{call_id}/supervision/browser"): Row(P.SUPERVISE, LIVE, body={"sdp": "nonsense"}),
    ("POST", "/v1/live/calls/{call_id}/whisper"): Row(P.SUPERVISE, LIVE, body={"text": "hm"}),
    ("POST", "/v1/live/calls/{call_id}/hand-back"): Row(P.SUPERVISE, LIVE),
    ("POST", "/v1/live/calls/{call_id}/recording/pause"): Row(P.SUPERVISE, LIVE),
    ("POST", "/v1/live/calls/{call_id}/recording/resume"): Row(P.SUPERVISE, LIVE),
    ("POST", "/v1/live/calls/{call_id}/end"): Row(P.SUPERVISE, LIVE),
    ("POST", "/v1/live/calls/{call_id}/transfer"): Row(P.SUPERVISE, LIVE, body={"target": "200"}),
    ("POST", "/v1/live/calls/{call_id}/tools/{tool_call}"): Row(
        P.SUPERVISE, LIVE, {"tool_call": "t1"}, {"approved": True}
    ),
    ("GET", "/v1/webhooks"): Row(P.WEBHOOKS, unlimited=True),
    ("POST", "/v1/webhooks"): Row(P.WEBHOOKS, body={"name": "w", "url": "http://host:99999"}, unlimited=True),
    ("GET", "/v1/webhooks/{webhook_id}"): Row(P.WEBHOOKS, ("w_1", "w_1"), unlimited=True),
    ("PUT", "/v1/webhooks/{webhook_id}"): Row(
        P.WEBHOOKS, ("w_1", "w_1"), body={"name": "crm", "url": "https://x"}, headers=STALE, unlimited=True
    ),
    ("DELETE", "/v1/webhooks/{webhook_id}"): Row(P.WEBHOOKS, ("w_1", "w_1"), headers=STALE, unlimited=True),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): Row(P.WEBHOOKS, ("w_1", "w_1"), unlimited=True),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}"): Row(
        P.WEBHOOKS, ("w_1", "w_1"), {"delivery_id": "1"}, unlimited=True
    ),
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry"): Row(
        P.WEBHOOKS, ("w_1", "w_1"), {"delivery_id": "1"}, unlimited=True
    ),
    ("GET", "/v1/callers/{number}"): Row(P.DATA_EXPORT, path={"number": "+490000"}, unlimited=True),
    ("GET", "/v1/callers/{number}/export"): Row(P.DATA_EXPORT, path={"number": "+490000"}, unlimited=True),
    ("POST", "/v1/callers/{number}/erasure"): Row(
        P.DATA_ERASE, path={"number": "+490000"}, body={"reason": "a test"}, unlimited=True
    ),
    ("GET", "/v1/erasures"): Row(P.AUDIT, unlimited=True),
    ("GET", "/v1/erasures/{erasure_id}"): Row(P.AUDIT, ("e_1", "e_1"), unlimited=True),
    ("GET", "/v1/audit"): Row(P.AUDIT, unlimited=True),
}
OUTSIDE = {("GET", "/v1/openapi.json"), ("WEBSOCKET", "/v1/live/ws")}
"""The description, which is no secret, and the WebSocket, whose rights ``test_live`` tries."""
WITH_PROVIDER = {("GET", "/v1/oidc/login"), ("GET", "/v1/oidc/callback")}
"""Public too; 404 where no provider is configured, and tried with a real one in the interop tests."""


def routes_of(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of each, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes)
        if isinstance(route, APIWebSocketRoute):
            yield "WEBSOCKET", route.path
        elif isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two of everything: one of sales, one of nobody."""
    rig = Rig(tmp_path_factory.mktemp("matrix"))
    rig.user("boss", "admin")
    rig.team("sales", numbers=("+491*",), agents=("mine",), dialplans=("mine",), trunks=("mine",))
    rig.team("service", agents=("other",))
    for name in NAME:
        rig.document("agent", name, AGENT.format(name=name))
        rig.document("dialplan", name, "routes:\n  - name: all\n    agent: mine\n")
        made = {"settings": {"host": "sip.example.net"}}
        assert rig.put(f"/v1/trunks/{name}", "boss", json=made, headers={"If-None-Match": "*"}).status_code == 200
    assert rig.put("/v1/phones/bert", "boss", json={}, headers={"If-None-Match": "*"}).status_code == 200
    rig.user("mine", teams=("sales",))
    rig.user("theirs", teams=("service",))
    for role in Role:
        rig.user(role.value, role.value)
        rig.user(f"{role}-of-sales", role.value, teams=("sales",))
    for number, called in ((1, "+491555"), (2, "+492555")):
        rig.call(number, called=called)
        rig.recording(number, b"RIFF")
        rig.captured(number, b"pcap")
        rig.live(number + 2, called=called)
    rig.run(an_erasure(rig))
    rig.run(spare_keys(rig))
    rig.run(webhook(rig))
    yield rig
    rig.close()


async def spare_keys(rig: Rig) -> None:
    """A key of everybody that may be revoked."""
    names = [f"{role}{limit}" for role in Role for limit in ("", "-of-sales")]
    async with rig.parts.store.write() as unit:
        for name in names:
            digest, key_id = tokens.issue(tokens.KEY_PREFIX, rig.random).digest, f"k_spare_{name}"
            await unit.api_keys.add(ApiKey(key_id, key_id, digest, (), "test", 1, user_id=f"u_{name}"))


async def an_erasure(rig: Rig) -> None:
    """The certificate of one, of nobody's data."""
    order = Order(Scope.EVERYTHING, "a test", "test", 1)
    async with rig.parts.store.write() as unit:
        made = await erase(unit, order, ())
        values = {"id": "e_1", "reason": "a test", "actor": "test", "made_wall_ms": 1}
        written = {"certificate_json": encode(made), "hash": b"h"}
        await unit.connection.execute(insert(erasures).values({**values, **written}))


async def webhook(rig: Rig) -> None:
    """A webhook and a message for it."""
    async with rig.parts.store.write() as unit:
        sealed = rig.parts.vault.seal("secret", "webhook w_1")
        await unit.subscriptions.add(Subscription("w_1", "crm", "https://crm.example", sealed, 1, 1))
        await unit.deliveries.enqueue(["w_1"], "e1", "CallHasEnded", "{}", now_wall_ms=1)


def test_every_route_has_a_row(full: Rig) -> None:
    there = set(routes_of(full.app.routes)) - OUTSIDE - WITH_PROVIDER
    assert there - set(ROWS) == set(), "routes without a row in the matrix"
    assert set(ROWS) - there == set(), "rows without a route"


def ask(rig: Rig, method: str, path: str, row: Row, own: str, by: str) -> int:
    """The status of one request."""
    head, _, rest = path.partition("{")
    if rest and row.owned is not None:
        tail = rest.partition("}")[2]
        path = f"{head}{own.format(user=by)}{tail}"
    for name, value in row.path.items():
        path = path.replace(f"{{{name}}}", value)
    options: dict[str, Any] = {"json": row.body} if row.body is not None else {}
    if row.text:
        options["content"] = row.text
    return int(rig.request(method, path + row.query, by, headers=row.headers, **options).status_code)


def may(row: Row, role: Role) -> bool:
    return row.permission is None or row.permission in ROLE_PERMISSIONS[role]


@pytest.mark.parametrize(("method", "path"), sorted(ROWS), ids=lambda part: part)
def test_route(full: Rig, method: str, path: str) -> None:
    row = ROWS[method, path]
    mine, theirs = row.owned or ("", "")
    nobody = ask(full, method, path, row, mine, "")
    if row.public:
        assert nobody in (200, 422)
        return
    assert nobody == 401
    for role in Role:
        for own in {mine, theirs}:
            status = ask(full, method, path, row, own, role.value)
            foreign_key = own == "k_theirs" and role is not Role.ADMIN
            _judge(status, allowed=may(row, role), visible=not foreign_key, who=f"{role}, {own}")
        limited = f"{role}-of-sales"
        if row.unlimited:
            status = ask(full, method, path, row, mine, limited)
            assert status in (403, 404), f"{limited}: {status}"
            continue
        status = ask(full, method, path, row, mine, limited)
        _judge(status, allowed=may(row, role), visible=True, who=f"{limited}, own")
        if row.owned is not None:
            status = ask(full, method, path, row, theirs, limited)
            _judge(status, allowed=may(row, role), visible=False, who=f"{limited}, foreign")


def _judge(status: int, *, allowed: bool, visible: bool, who: str) -> None:
    if not allowed:
        assert status == 403, f"{who}: {status} instead of forbidden"
    elif not visible:
        assert status == 404, f"{who}: {status} instead of hidden"
    else:
        assert status not in REFUSED and status < 500, f"{who}: {status} instead of allowed"


def test_lists_show_people_of_a_team_only_what_is_theirs(full: Rig) -> None:
    by = "supervisor-of-sales"
    for path in ("/v1/agents", "/v1/dialplans", "/v1/trunks"):
        assert [one["name"] for one in full.get(path, by).json()["items"]] == ["mine"], path
    assert [one["id"] for one in full.get("/v1/calls", by).json()["items"]] == ["c1"]
    assert [one["id"] for one in full.get("/v1/live/calls", by).json()["items"]] == ["c3"]
    assert [one["name"] for one in full.get("/v1/teams", by).json()["items"]] == ["sales"]
    users = full.get("/v1/users", "admin-of-sales").json()["items"]
    assert {tuple(one["teams"]) for one in users} == {("sales",)}


def test_a_key_may_no_more_than_its_scopes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.user("ada", "admin", scopes=("metrics",))
    assert rig.get("/metrics", "ada").status_code == 200
    assert rig.get("/v1/users", "ada").status_code == 403
    more = {"name": "more", "scopes": ["users"]}
    assert rig.post("/v1/keys", "ada", json=more).status_code == 403
    rig.close()


def test_nobody_gives_more_than_they_have(full: Rig) -> None:
    by = "admin-of-sales"
    for limits in ({}, {"teams": ["service"]}, {"numbers": ["*"]}):
        body = {"name": "new", "roles": ["admin"], **limits}
        assert full.post("/v1/users", by, json=body).status_code == 403, limits
    assert full.post("/v1/users", by, json={"name": "new", "teams": ["sales"]}).status_code == 201


def test_a_key_for_users_makes_no_administrator(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.user("root", "admin")
    rig.user("ada", "admin", scopes=("users",))
    assert rig.post("/v1/users", "ada", json={"name": "x", "roles": ["admin"]}).status_code == 403
    assert rig.post("/v1/users/u_root/invitation", "ada").status_code == 403
    assert rig.post("/v1/users", "ada", json={"name": "x"}).status_code == 201
    rig.close()
