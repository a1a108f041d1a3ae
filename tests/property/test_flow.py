"""For any turns in any order a session ends each reply with Gather, Hangup or Transfer, and never raises."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agents.talk import FakeHttp, Talk
from voicegw.agents.actions import Gather, Hangup, Transfer
from voicegw.agents.agent import CallerTurn, TurnKind
from voicegw.agents.expression import ExpressionError, parse_expression
from voicegw.agents.flow import agent_phrases
from voicegw.agents.load import load_flows, parse_flow
from voicegw.agents.template import TemplateError, parse_template
from voicegw.base.errors import ConfigError
from voicegw.ports.http import HttpResponse

FLOWS = load_flows(Path(__file__).resolve().parents[2] / "dialplans" / "agents")
SENTENCES = sorted({phrase for flow in FLOWS.values() for phrase in agent_phrases(flow)[:: len(FLOWS) * 10]})

ODD = (
    "",
    "no wednesday",
    "no at four",
    "the day is wrong",
    "four two seven one nine six",
    "yes",
    "no",
    "repeat",
    "pardon",
)
turn = st.builds(
    CallerTurn,
    st.sampled_from(TurnKind),
    st.one_of(st.sampled_from(SENTENCES), st.sampled_from(ODD), st.text(max_size=20)),
    st.floats(0, 1),
    st.one_of(st.sampled_from(["1", "2", "0", "0303", "1530", "427196"]), st.text("0123456789*#", max_size=7)),
)
answer = st.sampled_from(
    [
        HttpResponse(200, {}, '{"status": "shipped", "delivery": "soon", "total": [1, {"a": 2}]}'),
        HttpResponse(200, {}, '{"status": {"deep": 1}, "delivery": "2026-03-05", "total": 1e999}'),
        HttpResponse(200, {}, "[]"),
        HttpResponse(503),
    ]
)


class AnyHttp(FakeHttp):
    """Answers every address alike."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self._response = response

    async def request(self, method, url, *, headers, json_body, timeout_s):  # type: ignore[no-untyped-def]
        return self._response


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FLOWS)), st.lists(turn, max_size=12), answer)
def test_every_reply_has_one_ending(name: str, turns: list[CallerTurn], response: HttpResponse) -> None:
    talk = Talk(FLOWS[name], AnyHttp(response))
    for each in turns:
        before, checkpoint = dict(talk.collected), talk.session.checkpoint()
        talk.take(each)
        talk.session.restore(checkpoint)
        assert dict(talk.collected) == before
        talk.take(each)
        endings = [action for action in talk.last if isinstance(action, Gather | Hangup | Transfer)]
        assert len(endings) == 1
        assert talk.last[-1] is endings[0]
        talk.session.heard(talk.said[: len(each.text)])


@settings(max_examples=200, deadline=None)
@given(st.text("{} a|digits:0_%", max_size=30))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        template = parse_template(text)
    except TemplateError:
        return
    template.spoken({"a": 1})
    template.url({"a": "x/y"})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                "1",
                "-2.5",
                "'x'",
                "==",
                "<",
                "in",
                "not",
                "and",
                "or",
                "(",
                ")",
                "[",
                "]",
                ",",
                "=",
                "true",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse_expression(text)
    except ExpressionError:
        return
    for values in ({}, {"a": 1, "b": "x"}, {"a": ("x",), "b": None}):
        assert condition.holds(values) in (True, False)


@settings(max_examples=100, deadline=None)
@given(st.text("abc:{}[]-# \n'\"!&*", max_size=80))
def test_any_file_is_a_flow_or_a_config_error(text: str) -> None:
    try:
        parse_flow(text)
    except ConfigError as error:
        assert error.line >= 1
