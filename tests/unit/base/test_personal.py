"""What of people is seen in logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from voicegw.base.errors import ConfigError, LocalError, ProviderError
from voicegw.base.log import JsonFormatter, TextFormatter
from voicegw.base.personal import Disclosure, Personal, PersonalView, scrubbed

NUMBER, URI, WORDS = "+4930123456", "sip:+4930123456@desk.example:5060", "my pin is four two"
HASH = PersonalView(Disclosure.HASH, b"key")
DROP = PersonalView(Disclosure.DROP)


@pytest.fixture
def see() -> Iterator[None]:
    """Whatever a test sets, everything is seen again after it."""
    before = Personal.view
    yield
    Personal.view = before


def entry(message: str, *args: object, **extra: object) -> tuple[dict[str, object], str]:
    record = logging.makeLogRecord({"msg": message, "args": args, "levelname": "INFO", "name": "x"})
    record.__dict__.update(extra)
    return json.loads(JsonFormatter().format(record)), TextFormatter().format(record)


def test_a_pseudonym_is_the_same_for_the_same_person_and_key_only() -> None:
    assert HASH.show(NUMBER) == PersonalView(Disclosure.HASH, b"key").show(NUMBER)
    assert HASH.show(NUMBER) != PersonalView(Disclosure.HASH, b"other").show(NUMBER)
    assert HASH.show(URI) == f"sip:{HASH.show(NUMBER)}@desk.example:5060"
    assert DROP.show(URI) == "" and HASH.show("") == ""
    assert PersonalView(Disclosure.KEEP).show(URI) == URI


@pytest.mark.usefixtures("see")
def test_fields_are_kept_hashed_or_left_out() -> None:
    field = {"calling": Personal(NUMBER), "trunk": "carrier"}
    assert entry("offered", **field)[0]["calling"] == NUMBER
    Personal.view = HASH
    assert entry("offered", **field)[0]["calling"] == HASH.show(NUMBER)
    Personal.view = DROP
    told, line = entry("offered", **field)
    assert "calling" not in told and told["trunk"] == "carrier" and "calling" not in line


@pytest.mark.usefixtures("see")
@pytest.mark.parametrize("view", [HASH, DROP])
@pytest.mark.parametrize(
    "error", [LocalError(f"no route to {WORDS}"), ProviderError("x", WORDS, retryable=True), ValueError(WORDS)]
)
def test_what_errors_quote_is_not_seen(view: PersonalView, error: Exception) -> None:
    Personal.view = view
    told, line = entry("cannot call %s: %s", Personal(URI), error, reason=error)
    assert WORDS not in line and NUMBER not in line and WORDS not in json.dumps(told)
    assert type(error).__name__ in str(told["msg"]) and told["reason"] == type(error).__name__


@pytest.mark.usefixtures("see")
def test_what_the_administrator_wrote_and_the_system_says_is_seen() -> None:
    Personal.view = DROP
    assert "a.yaml:3" in str(entry("%s", ConfigError("bad", file="a.yaml", line=3))[0]["msg"])
    assert entry("%s", OSError(28, "No space left"))[0]["msg"] == "OSError: No space left"


@pytest.mark.usefixtures("see")
def test_a_traceback_says_where_and_not_what() -> None:
    Personal.view = DROP
    try:
        try:
            raise ValueError(WORDS)
        except ValueError as error:
            raise LocalError(NUMBER) from error
    except LocalError as error:
        told, line = entry("it broke", exc_info=(type(error), error, error.__traceback__))
    shown = str(told["error"])
    assert "test_personal.py" in shown and "LocalError" in shown and "because of" in shown and "ValueError" in shown
    assert WORDS not in shown + line and NUMBER not in shown + line


def test_a_net_for_what_nobody_marked() -> None:
    text = (
        f"{URI} <sip:1001@h> +4930123456 0301234567 http://x/a?q=words at 12:30, 5060 bytes, id 8f3a1234567b 12345"
    )
    shown = scrubbed(text, DROP)
    assert shown == (
        "sip:[dropped] <sip:[dropped]> [dropped] [dropped] http://x at 12:30, 5060 bytes, id 8f3a1234567b 12345"
    )
    assert scrubbed(text, PersonalView(Disclosure.KEEP)) == text
    assert HASH.show("0301234567") in scrubbed(text, HASH)


@pytest.mark.usefixtures("see")
def test_everything_is_seen_where_nothing_is_set() -> None:
    told, line = entry("cannot call %s: %s", Personal(URI), LocalError(WORDS), calling=Personal(NUMBER))
    assert told["msg"] == f"cannot call {URI}: {WORDS}" and NUMBER in line
