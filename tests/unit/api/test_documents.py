"""Agents and dialplans from the first draft to the roll-back, and bundles of them."""

from __future__ import annotations

import pytest
import yaml

from tests.unit.api.rig import Rig

NEW = {"If-None-Match": "*"}
GOOD = "name: hello\n# greets\nsteps:\n  - hangup: Goodbye.\n"
BETTER = GOOD.replace("Goodbye", "See you")
PLAN = "routes:\n  - name: all\n    agent: hello\n"


@pytest.fixture
def kept(rig: Rig) -> Rig:
    rig.user("ada", "designer")
    rig.user("root", "admin")
    return rig


def publish(rig: Rig, path: str, version: int) -> None:
    tag = rig.get(path, "ada").headers["ETag"]
    done = rig.post(f"{path}/publish", "ada", json={"version": version}, headers={"If-Match": tag})
    assert done.status_code == 200, done.text


def save(rig: Rig, path: str, text: str, headers: dict[str, str] = NEW) -> None:
    done = rig.put(path, "ada", json={"text": text}, headers=headers)
    assert done.status_code == 200, done.text


def test_a_draft_changes_nothing_until_it_is_published_and_can_be_taken_back(kept: Rig) -> None:
    save(kept, "/v1/agents/hello", GOOD)
    assert kept.installer.installed == []
    publish(kept, "/v1/agents/hello", 1)
    save(kept, "/v1/agents/hello", BETTER, {"If-Match": "*"})
    publish(kept, "/v1/agents/hello", 2)
    publish(kept, "/v1/agents/hello", 1)  # the roll-back
    assert [one.agents["hello"] for one in kept.installer.installed] == [GOOD, BETTER, GOOD]
    versions = kept.get("/v1/agents/hello/versions", "ada").json()["items"]
    assert [(one["version"], one["state"]) for one in versions] == [(2, "archived"), (1, "published")]
    diff = kept.get("/v1/agents/hello/diff?old=1&new=2", "ada").json()["diff"]
    assert "-  - hangup: Goodbye." in diff and "+  - hangup: See you." in diff
    actions = [row["action"] for row in kept.audit()]
    assert actions == ["agent.save", "agent.publish", "agent.save", "agent.publish", "agent.publish"]


def test_mistakes_are_told_with_line_and_fix_and_are_not_published(kept: Rig) -> None:
    save(kept, "/v1/agents/hello", GOOD)
    publish(kept, "/v1/agents/hello", 1)
    wrong = "routes:\n  - name: all\n    agent: helo\n"
    problem = kept.post("/v1/dialplans/dialplan/validate", "ada", json={"text": wrong})
    assert problem.status_code == 422
    assert problem.headers["content-type"] == "application/problem+json"
    [error] = problem.json()["errors"]
    assert (error["field"], error["file"], error["line"]) == ("text", "dialplan.yaml", 3)
    assert "did you mean 'hello'" in error["fix"]
    save(kept, "/v1/dialplans/dialplan", wrong)
    assert kept.get("/v1/dialplans/dialplan", "ada").json()["problems"] == [error]
    refused = kept.post("/v1/dialplans/dialplan/publish", "ada", json={"version": 1}, headers={"If-Match": "*"})
    assert refused.status_code == 422
    assert kept.get("/v1/dialplans/dialplan", "ada").json()["published"] is None


def test_an_agent_that_a_dialplan_needs_cannot_be_withdrawn(kept: Rig) -> None:
    for path, text in (("/v1/agents/hello", GOOD), ("/v1/dialplans/dialplan", PLAN)):
        save(kept, path, text)
        publish(kept, path, 1)
    match = {"If-Match": "*"}
    assert kept.delete("/v1/agents/hello", "ada", headers=match).status_code == 422
    assert kept.delete("/v1/dialplans/dialplan", "ada", headers=match).status_code == 204
    assert kept.delete("/v1/agents/hello", "ada", headers=match).status_code == 204
    assert kept.installer.installed[-1].agents == {}


def test_what_the_node_refuses_is_not_stored(kept: Rig) -> None:
    save(kept, "/v1/agents/hello", GOOD)
    kept.installer.refuses = "its model is not configured"
    done = kept.post("/v1/agents/hello/publish", "ada", json={"version": 1}, headers={"If-Match": "*"})
    assert done.status_code == 422 and done.json()["errors"][0]["detail"] == kept.installer.refuses
    assert kept.get("/v1/agents/hello", "ada").json()["published"] is None


def test_nobody_overwrites_what_they_have_not_seen(kept: Rig) -> None:
    save(kept, "/v1/agents/hello", GOOD)
    body = {"text": BETTER}
    assert kept.put("/v1/agents/hello", "ada", json=body).status_code == 428
    assert kept.put("/v1/agents/hello", "ada", json=body, headers=NEW).status_code == 409
    stale = kept.put("/v1/agents/hello", "ada", json=body, headers={"If-Match": '"0-0"'})
    assert stale.status_code == 412 and stale.headers["ETag"] == '"1-0"'
    assert kept.put("/v1/agents/other", "ada", json=body, headers={"If-Match": "*"}).status_code == 404


def test_an_agent_must_be_called_as_it_is_kept(kept: Rig) -> None:
    done = kept.post("/v1/agents/other/validate", "ada", json={"text": GOOD})
    assert done.status_code == 422 and done.json()["errors"][0]["fix"] == "name: other"


def test_route_test_explains(kept: Rig) -> None:
    kept.document("agent", "hello", GOOD)
    kept.document("dialplan", "dialplan", PLAN)
    answer = kept.post("/v1/route-test", "ada", json={"called": "100"}).json()
    assert (answer["agent"], answer["routes"][0]["matched"]) == ("hello", True)
    assert kept.post("/v1/route-test", "ada", json={"called": "1", "dialplan": "none"}).status_code == 404


def test_an_installation_moves_to_another_server_word_for_word(kept: Rig) -> None:
    kept.document("agent", "hello", GOOD)
    kept.document("dialplan", "dialplan", PLAN)
    kept.team("sales", agents=("hello",))
    trunk = {"settings": {"host": "sip.example.net"}, "password": "very secret"}
    kept.put("/v1/trunks/carrier", "root", json=trunk, headers=NEW)
    bundle = kept.get("/v1/bundle", "root")
    assert "very secret" not in bundle.text
    read = yaml.safe_load(bundle.text)
    assert read["agents"]["hello"] == GOOD and read["trunks"]["carrier"]["password_needed"] is True
    changed = bundle.text.replace("Goodbye", "See you")
    done = kept.post("/v1/bundle", "root", content=changed)
    assert done.status_code == 200, done.text
    assert done.json()["passwords_needed"] == []  # this server has it
    assert kept.get("/v1/agents/hello", "ada").json()["text"] == BETTER
    assert kept.get("/v1/trunks/carrier", "root").json()["has_password"] is True


def test_a_bundle_is_taken_whole_or_not_at_all(kept: Rig) -> None:
    good = {"voicegw_bundle": 1, "agents": {"hello": GOOD}, "dialplans": {"dialplan": "routes: wrong"}}
    done = kept.post("/v1/bundle", "root", content=yaml.safe_dump(good))
    assert done.status_code == 422
    assert kept.get("/v1/agents/hello", "ada").status_code == 404
    unknown = kept.post("/v1/bundle", "root", content="voicegw_bundle: 1\nagent: {}\n")
    assert unknown.json()["errors"][0]["line"] == 2


def test_a_designer_brings_agents_but_no_trunks(kept: Rig) -> None:
    agent = yaml.safe_dump({"voicegw_bundle": 1, "agents": {"hello": GOOD}})
    assert kept.post("/v1/bundle", "ada", content=agent).status_code == 200
    exported = kept.get("/v1/agents/hello/bundle", "ada")
    assert yaml.safe_load(exported.text)["agents"] == {"hello": GOOD}
    trunk = yaml.safe_dump({"voicegw_bundle": 1, "trunks": {"t": {"settings": {"host": "x"}}}})
    assert kept.post("/v1/bundle", "ada", content=trunk).status_code == 403
