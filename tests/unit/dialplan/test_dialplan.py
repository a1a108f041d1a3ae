from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.dialplan import (
    ConfigProblems,
    Dialplan,
    Reject,
    RouteRequest,
    ToAgent,
    explain,
    load_dialplan,
    parse_dialplan,
)
from voicegw.dialplan.compile import Announcement

LONDON = ZoneInfo("Europe/London")
PLAN = """
time_zone: Europe/London
routes:
  - name: demo
    match: {called: demo}
    agent: appointment
  - name: gold
    match:
      called: {prefix: "+44"}
      calling: {regex: '\\+49\\d+'}
      header: {X-Tier: gold}
    agent: gold desk
  - name: office hours
    match:
      called: {prefix: "+44"}
      time:
        - {days: mon-fri, from: 09:00, to: "17:30"}
        - {days: sat, from: "10:00", to: "12:00"}
    agent: reception
  - name: night
    match:
      called: {prefix: "+44"}
      time: {days: fri-mon, from: "22:00", to: "06:00"}
    agent: night desk
  - name: withheld
    match: {calling: {present: false}}
    reject: route_rejected
  - name: rest
    reject: 486
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def ask(
    called: str,
    calling: str = "+4917",
    when: str = "2026-03-03T12:00",
    headers: tuple[tuple[str, str], ...] = (),
) -> RouteRequest:
    return RouteRequest(called, calling, at(when), headers)


@pytest.fixture(scope="module")
def plan() -> Dialplan:
    return parse_dialplan(PLAN)


@pytest.mark.parametrize(
    ("request_", "route"),
    [
        (ask("demo"), "demo"),
        (ask("demo2"), "rest"),
        (ask("+441", headers=(("x-tier", "silver"), ("X-TIER", "gold"))), "gold"),
        (ask("+441", calling="+49x", headers=(("X-Tier", "gold"),)), "office hours"),
        (ask("+441"), "office hours"),
        (ask("+441", when="2026-03-03T08:59"), "rest"),
        (ask("+441", when="2026-03-03T17:29"), "office hours"),
        (ask("+441", when="2026-03-03T17:30"), "rest"),
        (ask("+441", when="2026-03-07T11:00"), "office hours"),
        (ask("+441", when="2026-03-07T12:00"), "rest"),
        (ask("+441", when="2026-03-06T22:00"), "night"),
        (ask("+441", when="2026-03-07T05:59"), "night"),
        (ask("+441", when="2026-03-10T05:59"), "night"),
        (ask("+441", when="2026-03-10T22:00"), "rest"),
        (ask("+441", when="2026-03-06T05:00"), "rest"),
        (ask("demo3", calling=""), "withheld"),
    ],
)
def test_first_match_wins(plan: Dialplan, request_: RouteRequest, route: str) -> None:
    assert plan.route(request_).route == route


def test_the_window_is_local_time_whatever_zone_the_request_is_in(plan: Dialplan) -> None:
    in_summer = datetime(2026, 7, 7, 8, 15, tzinfo=ZoneInfo("UTC"))
    assert plan.route(RouteRequest("+441", "", in_summer)).route == "office hours"


def test_decisions(plan: Dialplan) -> None:
    assert plan.route(ask("demo")) == ToAgent("demo", "appointment")
    assert plan.route(ask("x")) == Reject("rest", HangupCause.BUSY, 486)
    assert plan.agents == {"appointment", "gold desk", "reception", "night desk"}


def test_no_route_is_404() -> None:
    plan = parse_dialplan("routes: [{name: a, match: {called: x}, agent: y}]")
    decision = plan.route(ask("z"))
    assert decision == Reject("", HangupCause.NO_ROUTE, 404)
    assert "no route matches" in explain(plan, ask("z")).text()


@pytest.mark.parametrize(
    ("reject", "cause", "status"),
    [
        ("busy", HangupCause.BUSY, 486),
        ("404", HangupCause.NO_ROUTE, 404),
        ("433", HangupCause.ROUTE_REJECTED, 433),
    ],
)
def test_reject_by_name_or_status(reject: str, cause: HangupCause, status: int) -> None:
    plan = parse_dialplan(f"routes: [{{name: a, reject: {reject}}}]")
    assert plan.route(ask("z")) == Reject("a", cause, status)


def test_a_route_announces_before_it_answers_or_refuses() -> None:
    plan = parse_dialplan(
        "routes:\n- {name: a, match: {called: '1'}, agent: b, announce: Hello.}\n"
        "- {name: c, reject: busy, announce: {text: Zu., language: de-DE}}\n"
    )
    to_agent = plan.route(RouteRequest("1", "", datetime(2026, 7, 6, 10)))
    refused = plan.route(RouteRequest("2", "", datetime(2026, 7, 6, 10)))
    assert to_agent.announcement == Announcement("Hello.")
    assert refused.announcement == Announcement("Zu.", "de-DE")
    assert "after an announcement" in explain(plan, RouteRequest("2", "", datetime(2026, 7, 6, 10))).text()


def test_dates_limit_a_window() -> None:
    plan = parse_dialplan(
        "routes:\n  - name: holiday\n"
        "    match: {time: {dates: ['2026-12-24..2026-12-26', 2027-01-01]}}\n    reject: 480\n"
    )
    days = ["2026-12-23", "2026-12-24", "2026-12-26", "2026-12-27", "2027-01-01"]
    routes = [plan.route(ask("a", when=f"{day}T12:00")).route for day in days]
    assert routes == ["", "holiday", "holiday", "", "holiday"]


def test_explain_says_why_and_agrees_with_route(plan: Dialplan) -> None:
    request = ask("+441", calling="+33", when="2026-03-03T12:00")
    explanation = explain(plan, request)
    assert explanation.decision == plan.route(request)
    by_name = {check.name: check for check in explanation.checks}
    assert by_name["demo"].reasons == ("no: the called number '+441' is not 'demo'",)
    assert "no: the header X-Tier was not sent" in by_name["gold"].reasons
    assert "no: the calling number '+33' does not match the pattern" in by_name["gold"].reasons[0]
    assert by_name["office hours"].matched
    assert by_name["rest"].reasons == ("would match too, but a route above it already did",)
    text = explanation.text()
    assert "route 'office hours' takes the call: agent reception" in text
    assert " * 3. office hours (dialplan.yaml:13) -> agent reception" in text


BROKEN = """
rutes: 3
routes:
  - name: demo
    match: {caled: demo, header: {X: {prefx: a}}, time: {days: [tues], from: 25:00}}
    agent: appointment
  - name: office
    name: x
    match:
      called: {regex: '(a+)+'}
      calling: {prefix: "+44", exact: 3}
    agent: reception
  - reject: bussy
    match: 5
"""


def test_all_problems_are_reported_with_line_and_fix() -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse_dialplan(BROKEN, "plan.yaml")
    found = {(p.line, p.message): p.fix for p in caught.value.problems}
    assert found[(2, "unknown key 'rutes'")].startswith("did you mean 'routes'? allowed: routes")
    assert "'called'?" in found[(5, "unknown key 'caled' in 'routes[1].match'")]
    assert "'tue'?" in found[(5, "'tues' is not a value of 'routes[1].match.time.days[1]'")]
    assert found[(8, "the key 'name' stands twice; it is already in line 7")]
    assert found[(13, "'name' is missing in 'routes[3]'")] == "add 'name:'"
    assert any(p.line == 10 and "repeated group" in p.message for p in caught.value.problems)
    assert any(p.line == 11 and "exact and prefix" in p.message for p in caught.value.problems)
    assert any(p.line == 13 and "did you mean 'busy'" in p.fix for p in caught.value.problems)
    assert any(p.line == 14 and "must be a block" in p.message for p in caught.value.problems)
    assert all(str(p).startswith(f"plan.yaml:{p.line}: ") for p in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("routes: []", 1, "must not be empty"),
        ("", 1, "'routes' is missing"),
        ("time_zone: Mars/One\nroutes: [{name: a, agent: b}]", 1, "not a time zone"),
        ("routes:\n- name: a\n  match:\n    time: {zone: X/Y}\n  agent: b", 4, "not a time zone"),
        ("routes:\n- name: a\n  match: {time: {dates: 2026-02-30}}\n  agent: b", 3, "not in the calendar"),
        ("routes:\n- name: a\n  match: {time: {dates: soon}}\n  agent: b", 3, "not a date"),
        ("routes:\n- {name: a, agent: b}\n- {name: c, agent: d}", 3, "can never match"),
        (
            "routes:\n- {name: a, match: {called: x}, agent: b}\n- {name: a, agent: b}",
            3,
            "two routes are named",
        ),
        ("routes:\n- {name: a, agent: b, reject: busy}", 2, "'agent', 'reject' or 'record'"),
        ("routes:\n- {name: a, reject: 200}", 2, "neither a cause nor a SIP status"),
        ("routes:\n- {name: a, agent: b, announce: {text: A, voice: c}}", 2, "in its own voice and language"),
        ("routes:\n- {name: a, agent: b, announce: ''}", 2, "must not be empty"),
    ],
)
def test_single_problems(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dialplan(text)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_agents_must_exist_when_they_are_known() -> None:
    with pytest.raises(ConfigProblems, match="no agent named 'recepton'") as caught:
        parse_dialplan("routes: [{name: a, agent: recepton}]", agents=["reception", "survey"])
    assert "did you mean 'reception'" in caught.value.fix


def test_load_reads_a_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "dialplan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    assert load_dialplan(path).file == str(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_dialplan(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_dialplan(tmp_path / "absent.yaml")
