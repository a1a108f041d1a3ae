"""Lines that all nodes share, and what one publishes and the next one answers by."""

from __future__ import annotations

from typing import Any

import yaml

from tests.interop.cluster_calls import DirectCall, Nodes, until
from tests.interop.server import FLOWS

NIGHT_NUMBER, OTHER_NUMBER = "900", "901"
LIMITS = {"max_calls_per_number": 1}
_IN_FORCE = "what another node has published is in force"
_TRIES = 3


def trunk(source: str) -> dict[str, Any]:
    """A trunk with one line, whose calls come from there."""
    return {"hosts": [source], "health": {"options_s": 0}, "max_calls": 1}


def published_elsewhere(nodes: Nodes) -> None:
    """An agent and its route are published at a; returns when b says that they are in force there."""
    desk, other = nodes.desks["a"], nodes.servers["b"]
    agent = (FLOWS / "echo_keys.yaml").read_text().replace("name: echo_keys", "name: night_desk")
    night = {"name": "night", "match": {"called": NIGHT_NUMBER}, "agent": "night_desk"}
    routes = {"routes": [night, {"name": "everything", "agent": "echo_keys"}]}
    known = len(other.logged(_IN_FORCE))
    desk.publish("agents", "night_desk", agent, new=True)
    other.wait_logged(_IN_FORCE, known + 1)
    desk.publish("dialplans", "dialplan", yaml.safe_dump(routes), new=False)
    other.wait_logged(_IN_FORCE, known + 2)


def one_call_over_all_nodes(nodes: Nodes) -> None:
    """A call at a has the line of its number and the only one of its trunk; b has none of them until it is over."""
    carrier, stranger = nodes.network.carrier, nodes.network.address
    with DirectCall(nodes, "a", NIGHT_NUMBER, carrier) as first:
        assert first.status() == 200
        first.talks()
        _refused(nodes, NIGHT_NUMBER, stranger, 486, "number_full")
        _refused(nodes, OTHER_NUMBER, carrier, 503, "trunk_full")
        _end(nodes, "a", NIGHT_NUMBER, first)
    until(lambda: _taken(nodes), "a call after it has the line")


def _taken(nodes: Nodes) -> bool:
    """Whether b takes a call now: the line is free a moment after the call is over. What was published answers."""
    with DirectCall(nodes, "b", NIGHT_NUMBER, nodes.network.carrier) as call:
        if call.status() != 200:
            return False
        call.talks()
        ended = _end(nodes, "b", NIGHT_NUMBER, call)
    assert (ended["agent"], ended["route"]) == ("night_desk", "night")
    return True


def _refused(nodes: Nodes, number: str, source: str, status: int, cause: str) -> None:
    """A call that b may not take. A node that Redis does not answer within 300 ms goes by itself and takes it; with
    two cores for everything that happens, but not three times in a row."""
    answers: list[int] = []
    while status not in answers and len(answers) < _TRIES:
        with DirectCall(nodes, "b", number, source) as call:
            answers.append(call.status())
            if answers[-1] == 200:
                _end(nodes, "b", number, call)
    assert answers[-1] == status, answers
    until(lambda: bool(nodes.desks["c"].get(f"/v1/calls?cause={cause}")["items"]), f"the store has {cause}")


def _end(nodes: Nodes, at: str, number: str, call: DirectCall) -> dict[str, Any]:
    """End the only call of a number that a node has, from another one; as that one showed it."""

    def shown() -> list[dict[str, Any]]:
        calls = nodes.desks["c"].get("/v1/live/calls")["items"]
        return [one for one in calls if (one["node"], one["called"]) == (at, number)]

    until(lambda: bool(shown()), "every node shows it")
    (running,) = shown()
    nodes.desks["c"].post(f"/v1/live/calls/{running['id']}/end")
    call.sipp.wait_for("BYE")
    until(lambda: not shown(), "it is over for all")
    return running
