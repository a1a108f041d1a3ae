"""What a target is told in writing and by voice."""

from __future__ import annotations

from voicegw.call.briefing import (
    SUBJECT_CHARACTERS,
    UUI_OCTETS,
    invite_headers,
    refer_headers,
    spoken_summary,
    user_to_user,
)


def decoded(header: str) -> bytes:
    data, *params = header.split(";")
    assert params == ["encoding=hex", "purpose=isdn-uui", "content=isdn-uui"]
    return bytes.fromhex(data)


def test_values_travel_as_pairs_behind_the_discriminator_of_text() -> None:
    told = decoded(user_to_user({"order": "4711", "name": "Ada; Lovelace=Byron"}))
    assert told == b"\x04order=4711;name=Ada, Lovelace:Byron;"


def test_only_whole_pairs_that_fit_are_sent() -> None:
    told = decoded(user_to_user({"first": "x" * 60, "second": "y" * 60, "third": "z"}))
    assert len(told) <= UUI_OCTETS
    assert told == b"\x04first=" + b"x" * 60 + b";"
    assert user_to_user({"long": "x" * 200}) == ""


def test_what_is_not_ascii_does_not_break_the_header() -> None:
    assert decoded(user_to_user({"city": "Köln"})) == b"\x04city=K?ln;"


def test_a_subject_is_one_short_line() -> None:
    (header,) = invite_headers("The order\r\nis late. " + "word " * 50, {})
    assert header[0] == "Subject"
    assert header[1].startswith("The order is late. word") and header[1].endswith("…")
    assert len(header[1]) <= SUBJECT_CHARACTERS
    assert invite_headers("", {}) == ()


def test_without_words_of_the_agent_the_values_are_spoken() -> None:
    assert spoken_summary("A late order.", {"order": "1"}) == "A late order."
    assert spoken_summary("", {"order_number": "4711", "empty": ""}) == "What is known so far: order number: 4711."
    assert "not said" in spoken_summary("", {})


def test_somebody_else_is_asked_to_tell_the_values_alone() -> None:
    ((name, value),) = refer_headers({"order": "4711"})
    assert (name, decoded(value)) == ("User-to-User", b"\x04order=4711;")
    assert refer_headers({}) == ()
