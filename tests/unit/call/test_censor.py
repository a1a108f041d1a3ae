"""Facts as they may be written down."""

from __future__ import annotations

import re
from typing import get_args, get_origin

import msgspec
import pytest

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call import facts as f
from voicegw.call.censor import PLAIN_FIELDS, WITHHELD, Censor
from voicegw.call.consent import Consent, RecordingPolicy
from voicegw.call.redaction import CARD, CODE, HIDDEN, Redactor, check_patterns

VISA = "4242424242424242"


def heard(text: str, digits: str = "", *, sensitive: bool = False) -> f.CallerSpoke:
    return f.CallerSpoke(text, 0.9, digits, 0.0, 1.0, sensitive)


def said(text: str) -> f.AgentSpoke:
    return f.AgentSpoke(UtteranceId("u"), text, text, True, False, 0.0, 1.0)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (heard(f"it is {VISA}"), heard(f"it is {CARD}")),
        (heard("", VISA), heard("", CARD)),
        (said(f"I heard {VISA}."), said(f"I heard {CARD}.")),
        (f.SlotWasFilled("card", VISA, True), f.SlotWasFilled("card", CARD, True)),
        (
            f.WebhookWasCalled("pay", "GET", f"https://pay.example/?card={VISA}&cvv=123"),
            f.WebhookWasCalled("pay", "GET", f"https://pay.example/?card={CARD}&cvv={CODE}"),
        ),
        (f.WebhookHasReturned("pay", 400, f"no {VISA}"), f.WebhookHasReturned("pay", 400, f"no {CARD}")),
        (f.RecordingHasEnded(f"/{VISA}.wav", 1, 0), f.RecordingHasEnded(f"/{VISA}.wav", 1, 0)),
    ],
)
def test_card_numbers_in_every_fact(fact: f.AnyFact, expected: f.AnyFact) -> None:
    assert Censor().take(fact) == [expected]


@pytest.mark.parametrize("kind", get_args(f.AnyFact), ids=lambda kind: kind.__name__)
def test_no_fact_lets_a_card_number_through(kind: type[f.AnyFact]) -> None:
    """Also those that nobody has thought of yet: a field is plain only if it is listed as plain."""
    fields = msgspec.structs.fields(kind)
    values = {one.name: _value(getattr(one.type, "__supertype__", one.type)) for one in fields}
    (fact,) = Censor().take(msgspec.convert(values, kind, strict=False))
    leaks = [name for name, value in msgspec.structs.asdict(fact).items() if value == VISA]
    assert set(leaks) <= PLAIN_FIELDS | {"digit"}  # a single key


def _value(kind: object) -> object:
    if get_origin(kind) is tuple:
        return ()
    return VISA if kind is str else 0


def test_the_callers_own_number_stays_as_the_signalling_has_it() -> None:
    offered = f.CallWasOffered(CallId("c"), VISA, VISA, VISA, "", "2026-01-01T00:00:00Z")
    assert Censor().take(offered) == [offered]


def test_a_sensitive_answer_its_value_and_its_read_back() -> None:
    censor = Censor()
    censor.sensitive = True
    assert censor.take(f.KeyWasPressed("5")) == [f.KeyWasPressed("•")]
    sent = f.KeysWereSent("callee", "5678", "info", 200)
    assert censor.take(sent) == [f.KeysWereSent("callee", HIDDEN, "info", 200)]
    slot = f.SlotWasFilled("birthday", "19840302", confirmed=False, sensitive=True)
    assert censor.take(slot) == [f.SlotWasFilled("birthday", HIDDEN, confirmed=False, sensitive=True)]
    assert censor.take(heard("one nine eight four oh three oh two", sensitive=True)) == [
        heard(HIDDEN, sensitive=True)
    ]
    censor.sensitive = False
    assert censor.take(said("I heard 1 9 8 4 0 3 0 2.")) == [said("I heard [sensitive].")]
    censor.take(f.SlotWasFilled("name", "Ada Lovelace", confirmed=False, sensitive=True))
    assert censor.take(said("Thank you, ada lovelace!")) == [said("Thank you, [sensitive]!")]


def test_a_read_back_of_something_sensitive_is_hidden_as_a_whole() -> None:
    censor = Censor()
    censor.conceal("I heard March second. Is that right?")
    assert censor.take(said("I heard March second. Is that right?")) == [said(HIDDEN)]
    assert censor.take(said("I heard you.")) == [said("I heard you.")]


def test_before_consent_nothing_that_was_said_is_written_down() -> None:
    censor = Censor()
    censor.withheld = True
    assert censor.take(heard("my name is Ada")) == [heard(WITHHELD)]
    assert censor.take(said("hello")) == [said(WITHHELD)]
    assert censor.take(f.KeyWasPressed("1")) == [f.KeyWasPressed(WITHHELD)]
    assert censor.take(f.SlotWasFilled("a", "b", True)) == [f.SlotWasFilled("a", WITHHELD, True)]
    answer = f.ConsentWasRefused("May we record this?", "no")
    assert censor.take(answer) == [answer]
    ended = f.CallHasEnded("caller_hangup", "caller", False, 16, "the caller hung up", 1.0)
    assert censor.take(ended) == [ended]
    censor.withheld = False
    assert censor.take(heard("my name is Ada")) == [heard("my name is Ada")]


def test_a_disclosure_becomes_a_fact_when_it_was_played() -> None:
    censor = Censor()
    censor.withheld = True
    censor.disclosing("I am a machine.")
    assert censor.take(said("Hello.")) == [said(WITHHELD)]
    disclosed = f.DisclosureWasMade("I am a machine.", "I am a machine.", False)
    assert censor.take(said("I am a machine.")) == [said(WITHHELD), disclosed]
    assert censor.take(said("I am a machine.")) == [said(WITHHELD)]


def test_patterns_of_the_administrator() -> None:
    patterns = {"iban": re.compile(r"[A-Z][A-Z]\d\d[A-Z0-9]{10,30}"), "member": re.compile(r"M-\d+")}
    assert check_patterns(patterns) == ""
    redactor = Redactor(patterns, cards=False)
    long = "x" * 500
    assert redactor.text(f"{long} DE89370400440532013000 and M-12, {VISA}") == f"{long} [iban] and [member], {VISA}"
    assert "matches [card number]" in check_patterns({"a": re.compile("card")})
    assert "matches nothing" in check_patterns({"a": re.compile("b*")})
    assert "matches [b]" in check_patterns({"a": re.compile(r"\[b"), "b": re.compile("zz")})


@pytest.mark.parametrize(
    ("policy", "given", "record", "transcribe"),
    [
        (RecordingPolicy.ALWAYS, None, True, True),
        (RecordingPolicy.ALWAYS, True, True, True),
        (RecordingPolicy.ALWAYS, False, False, False),
        (RecordingPolicy.AFTER_CONSENT, None, False, False),
        (RecordingPolicy.AFTER_CONSENT, True, True, True),
        (RecordingPolicy.AFTER_CONSENT, False, False, False),
        (RecordingPolicy.NEVER, None, False, True),
        (RecordingPolicy.NEVER, True, False, True),
        (RecordingPolicy.NEVER, False, False, False),
    ],
)
def test_policies(policy: RecordingPolicy, given: bool | None, record: bool, transcribe: bool) -> None:
    consent = Consent(policy, given)
    assert (consent.record, consent.transcribe) == (record, transcribe)


def test_what_is_wrong_with_the_line_is_written_down_before_any_consent() -> None:
    censor = Censor()
    censor.withheld = True
    fact = f.AudioWasMissing("caller", "both", "firewall", "nothing arrives from 198.51.100.4:4000", 2500.0)
    assert censor.take(fact) == [fact]
