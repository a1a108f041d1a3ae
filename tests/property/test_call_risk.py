"""The risk of a call, over any facts: bounded, never less than before, and each alert once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.ids import UtteranceId
from voicegw.call import facts as f
from voicegw.call.risk import ALERT_POINTS, MOST_POINTS, WEIGHTS, CallRisk, RiskReason
from voicegw.call.risk_words import WORDS

SENTENCES = (
    "I want to speak to a person",
    "This is ridiculous, you are useless",
    "my order is number seven",
    "thank you",
    "das habe ich schon gesagt",
    "[not recorded]",
)
moments = st.floats(0, 3_600_000, allow_nan=False)
texts = st.one_of(st.sampled_from(SENTENCES), st.text(max_size=30))
any_fact = st.one_of(
    st.builds(f.CallerSpoke, texts, st.just(0.9), st.just(""), moments, moments),
    st.builds(
        f.AgentSpoke, st.just(UtteranceId("u")), texts, texts, st.booleans(), st.booleans(), moments, moments
    ),
    st.builds(f.CallerWasSilent),
    st.builds(f.WebhookHasReturned, texts, st.sampled_from([0, 200, 404, 503]), st.sampled_from(["", "timed out"])),
    st.builds(f.ToolHasFailed, st.just("book"), st.just("failed")),
    st.builds(f.ServiceHasMoved, st.sampled_from(["model:a", "script", "human"]), texts),
    st.builds(f.SpeechHasFailed, st.just("tts"), texts, texts),
    st.builds(f.LanguageHasChanged, st.sampled_from(["de-DE", "en-US", "xx"])),
    st.builds(
        f.MediaWasMeasured, *[st.integers(0, 1000)] * 5, st.just(0.0), st.sampled_from(["caller", "supervisor"])
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(any_fact, max_size=40))
def test_risk_only_grows_within_its_bounds_and_alerts_once_a_reason(facts: list[f.AnyFact]) -> None:
    risk, told, before = CallRisk(), list[RiskReason](), 0
    for fact in facts:
        alerts = risk.add(fact)
        assert all(sign.points >= ALERT_POINTS for sign in alerts)
        told += [sign.reason for sign in alerts]
        assert before <= risk.points <= MOST_POINTS
        before = risk.points
    assert len(told) == len(set(told))
    assert set(told) == {sign.reason for sign in risk.signs if sign.points >= ALERT_POINTS}
    assert all(0 < sign.points <= WEIGHTS[sign.reason].cap and sign.text for sign in risk.signs)
    again = CallRisk()
    for fact in facts:
        again.add(fact)
    assert again.signs == risk.signs


def caller(text: str, at_ms: float = 0.0) -> f.CallerSpoke:
    return f.CallerSpoke(text, 0.9, "", at_ms, at_ms + 500)


def agent(text: str, at_ms: float = 0.0) -> f.AgentSpoke:
    return f.AgentSpoke(UtteranceId("u"), text, text, True, False, at_ms, at_ms + 500)


def reasons(*facts: f.AnyFact) -> dict[str, int]:
    risk = CallRisk()
    for fact in facts:
        risk.add(fact)
    return {sign.reason.value: sign.points for sign in risk.signs}


def test_each_reason_has_its_signs() -> None:
    assert reasons(caller("This is RIDICULOUS!")) == {"frustration": 25}
    assert reasons(caller("Operator, please."), caller("a real person")) == {"person": 40}
    assert reasons(*[agent("What is your order number?")] * 3) == {"loop": 20}
    assert reasons(*[caller("no, order number seven")] * 4) == {"loop": 40}
    assert reasons(agent("Hello and welcome."), agent("Are you there?", 20_000)) == {"silence": 15}
    assert reasons(f.CallerWasSilent()) == {"silence": 15}
    assert reasons(f.WebhookHasReturned("s", 503, "")) == reasons(f.ToolHasFailed("t", "failed")) == {"tools": 15}
    assert reasons(f.ServiceHasMoved("script", "no model")) == {"fault": 20}
    assert reasons(f.MediaWasMeasured(100, 90, 10, 0, 0, 1.0)) == {"line": 40}


def test_only_words_of_the_languages_of_the_call_count() -> None:
    """An English caller who says "merde" may mean a fly; a German one who says "operator" may mean mathematics."""
    german = f.CallWasRouted("main", "desk", ("de-DE",))
    both = f.CallWasRouted("main", "desk", ("de-DE", "fr-FR"))
    polish = f.CallWasRouted("main", "desk", ("pl-PL",))
    said = [caller("operator"), caller("merde")]
    assert reasons(german, *said) == reasons(polish, *said) == {}
    assert reasons(both, *said) == {"frustration": 25}
    assert reasons(both, f.LanguageHasChanged("en-GB"), *said) == {"person": 20}
    assert reasons(f.CallWasRouted("main", ""), *said) == {"frustration": 25, "person": 20}


def test_poor_sound_counts_in_both_directions_and_not_that_of_supervisors() -> None:
    def sounds(mos: float, peer: float = 0.0, leg: str = "caller") -> f.MediaQualityHasChanged:
        return f.MediaQualityHasChanged(leg, mos, peer, 0.0, 1.0)

    assert reasons(sounds(4.3), sounds(3.2), sounds(2.0, leg="supervisor"), sounds(4.0, 4.0)) == {}
    assert reasons(sounds(2.9), sounds(4.3, 2.0), sounds(2.5, leg="callee")) == {"mos": 60}
    risk = CallRisk()
    assert not risk.add(sounds(2.9))
    (alert,) = risk.add(sounds(2.3))
    assert (alert.points, alert.text) == (40, "poor sound: MOS 2.3 (2 × 5 s)")


def test_what_is_ordinary_is_no_sign() -> None:
    ordinary = [caller("hello my order please"), agent("Thank you."), agent("Thank you."), agent("Thank you.")]
    assert not reasons(*ordinary, f.WebhookHasReturned("s", 404, ""), f.ServiceHasMoved("model:b", "slow"))
    assert not reasons(*[caller("[not recorded]")] * 5)
    assert not reasons(f.LanguageHasChanged("de-DE"), caller("we met an operator"))


def test_every_phrase_is_found_in_its_language() -> None:
    for tag, words in WORDS.items():
        for phrase in (*words.frustration, *words.person):
            assert reasons(f.LanguageHasChanged(tag), caller(f"also {phrase} ja")), phrase
