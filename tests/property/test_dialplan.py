"""The dialplan under arbitrary input: parsing never fails in another way than ConfigError, and first match wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import ConfigError
from voicegw.dialplan import Reject, RouteRequest, explain, parse_dialplan
from voicegw.dialplan.safe_regex import compile_safe

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
number = st.text("+0123", max_size=5)
test = st.one_of(
    st.builds(lambda n: {"exact": n}, number),
    st.builds(lambda n: {"prefix": n}, number),
    st.builds(lambda b: {"present": b}, st.booleans()),
)
match = st.fixed_dictionaries({}, optional={"called": test, "calling": test})


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=120))
def test_any_text_parses_or_is_a_config_error(text: str) -> None:
    try:
        parse_dialplan(text)
    except ConfigError as error:
        assert error.line >= 1


@settings(max_examples=150, deadline=None)
@given(st.text("ab()*+?{}[]|\\1,.^", max_size=14))
def test_any_pattern_is_compiled_or_refused(pattern: str) -> None:
    try:
        compiled = compile_safe(pattern)
    except ValueError:
        return
    compiled.fullmatch("ab" * 128)


@settings(max_examples=100, deadline=None)
@given(st.lists(match, min_size=1, max_size=4), number, number, st.integers(0, 10_000))
def test_the_first_match_wins_and_explain_agrees(
    matches: list[dict[str, object]], called: str, calling: str, minutes: int
) -> None:
    named = [{"name": f"r{i}", "match": m or {"called": {"prefix": ""}}} for i, m in enumerate(matches)]
    routes = ", ".join(f"{{name: {r['name']}, match: {r['match']}, agent: x}}" for r in named)
    plan = parse_dialplan(f"routes: [{routes}]".replace("True", "true").replace("False", "false"))
    request = RouteRequest(called, calling, NOON + timedelta(minutes=minutes))
    explanation = explain(plan, request)
    matched = [check.name for check in explanation.checks if check.matched]
    decision = plan.route(request)
    assert explanation.decision == decision
    assert decision.route == (matched[0] if matched else "")
    assert isinstance(decision, Reject) == (not matched)
