"""What a trunk's answers mean, in words and by code."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway import trunk_advice as advice
from voicegw.gateway.media_advice import MediaSeen, judge
from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_lint import lint
from voicegw.gateway.trunk_settings import TrunkFile, TrunkSettings
from voicegw.sip.address import Address, Transport
from voicegw.sip.message import Headers, Response

SERVER = Address("198.51.100.7", 5060)
HERE = "203.0.113.9"


def trunk(password: str = "secret", **settings: Any) -> Trunk:
    return Trunk("carrier", TrunkSettings.model_validate({"hosts": ["198.51.100.7"]} | settings), password)


def response(status: int, *headers: tuple[str, str]) -> Response:
    return Response(status, "Said", Headers(headers))


def challenge(realm: str) -> tuple[str, str]:
    return ("WWW-Authenticate", f'Digest realm="{realm}", nonce="n"')


@pytest.mark.parametrize(
    ("answered", "settings", "code", "words"),
    [
        (response(200), {}, "ok", ""),
        (response(401, challenge("far.test")), {}, "account_missing", "'far.test'"),
        (
            response(407, challenge("far.test")),
            {"username": "us", "password": ""},
            "password_missing",
            "password_env",
        ),
        (response(401, challenge("far.test")), {"username": "us"}, "wrong_password", "'us'"),
        (
            response(401, challenge("far.test")),
            {"username": "us", "realm": "near"},
            "wrong_realm",
            "realm: far.test",
        ),
        (response(401, ("WWW-Authenticate", "realm=x")), {"username": "us"}, "wrong_password", "realm ''"),
        (response(403), {}, "forbidden", f"allow calls from {HERE}"),
        (response(403), {"username": "us"}, "forbidden", "locked"),
        (response(404), {"username": "us"}, "account_unknown", "'us' is no account"),
        (response(503), {}, "unavailable", "try again"),
        (response(500), {}, "refused", "provider"),
    ],
)
def test_answers_to_a_registration(answered: Response, settings: dict[str, Any], code: str, words: str) -> None:
    password = settings.pop("password", "secret")
    found = advice.answer(trunk(password, **settings), "register", answered, HERE)
    assert found.code == code
    assert words in found.fix
    assert str(answered.status) in found.text


def test_any_answer_to_options_is_a_sign_of_life() -> None:
    assert advice.answer(trunk(), "options", response(405), HERE).grade is Grade.OK
    assert advice.deaf_to_options(SERVER).fix.startswith("set health.options_s: 0")
    assert "UDP" in advice.silence("options", SERVER).fix


@pytest.mark.parametrize("cause", list(HangupCause))
def test_every_cause_has_words(cause: HangupCause) -> None:
    found = advice.ended(trunk(username="us"), cause, cause.value.sip_status, "", ("far.test",), HERE)
    assert cause.value.text in found.text
    assert found.fix
    assert found.grade in (Grade.WARN, Grade.FAIL)


def test_what_a_refused_call_says() -> None:
    found = advice.ended(trunk(codecs=["PCMA"]), HangupCause.NOT_ACCEPTABLE, 488, "no codec", (), HERE)
    assert found.text == "488 no codec in common (no codec)"
    assert "we offer PCMA" in found.fix
    busy = advice.ended(trunk(), HangupCause.PEER_BUSY, 486, "", (), HERE)
    assert (busy.grade, busy.code) == (Grade.WARN, "not_answered")


def failed(cause: Exception | None, text: str = "TLS handshake: bad") -> RemoteProtocolError:
    error = RemoteProtocolError(text)
    error.__cause__ = cause
    return error


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_code, error.verify_message = code, "why"
    return error


def handshake(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "no")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (None, "no_connection", "'port'"),
        (ConnectionRefusedError("refused"), "no_connection", "'transport'"),
        (failed(None, "the certificate is for a.test, not for b.test"), "tls_name", "name in it"),
        (failed(verification(62)), "tls_name", "name in it"),
        (failed(verification(10)), "tls_certificate", "expired"),
        (failed(verification(18)), "tls_certificate", "self-signed"),
        (failed(verification(99)), "tls_certificate", "tls.ca"),
        (failed(handshake("WRONG_VERSION_NUMBER")), "tls_handshake", "TLS 1.2"),
    ],
)
def test_connections_that_fail(error: Exception | None, code: str, words: str) -> None:
    found = advice.unsent(SERVER._replace(transport=Transport.TLS), error)
    assert (found.grade, found.code) == (Grade.FAIL, code)
    assert words in found.fix


def test_a_contact_that_nobody_outside_can_send_to() -> None:
    assert advice.contact("10.1.2.3", HERE, SERVER.host).fix.startswith(f"set sip.advertised_ip: {HERE},")
    assert "your public address" in advice.contact("10.1.2.3", "", SERVER.host).fix
    assert advice.contact("10.1.2.3", "", "10.9.9.9").grade is Grade.OK, "a PBX beside us"
    assert advice.contact(HERE, "", SERVER.host).grade is Grade.OK
    assert advice.is_private("fd00::1") and advice.is_private("[fd00::1]")
    assert not advice.is_private("carrier.test")


def test_how_the_other_side_sees_us() -> None:
    via = ("Via", f"SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKx;rport=40000;received={HERE}")
    assert advice.seen_as(response(200, via)) == HERE
    assert advice.seen_as(response(200)) == ""
    assert advice.realms_of(response(401, challenge("a"), ("Proxy-Authenticate", 'Digest realm="b"'))) == ("a", "b")


GOOD = MediaSeen(("198.51.100.8", 4000), (HERE, 5000), ("198.51.100.8", 4000), 100, 100, is_reported=True)


def codes(seen: MediaSeen) -> list[str]:
    return [found.code for found in judge(seen, SERVER.host)]


def test_audio() -> None:
    assert codes(GOOD) == ["ok", "ok"]
    assert codes(replace(GOOD, is_reported=False)) == ["ok", "unreported"]
    assert codes(replace(GOOD, lost=10)) == ["loss", "ok"]
    assert codes(replace(GOOD, peer_lost=10, round_trip_ms=40.0)) == ["ok", "loss"]
    assert codes(replace(GOOD, sent=0)) == ["ok", "nothing_sent"]
    assert codes(replace(GOOD, heard_from=("198.51.100.9", 4))) == ["ok", "other_source", "ok"]


def test_no_audio() -> None:
    none = replace(GOOD, received=0, heard_from=None)
    assert codes(none)[0] == "no_media"
    assert codes(replace(none, rejected=5))[0] == "foreign_media"
    assert codes(replace(none, promised=("10.0.0.8", 4000)))[0] == "their_private_media"
    assert codes(replace(none, ours=("10.0.0.9", 5000)))[0] == "private_media"


def found_in(**settings: Any) -> list[Finding]:
    file = TrunkFile.model_validate({"name": "carrier", "hosts": ["198.51.100.7"]} | settings)
    return list(lint(file, {"SET": "x"}, "carrier.yaml"))


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ({}, []),
        ({"password_env": "SET", "username": "us", "register_there": True}, []),
        ({"password_env": "UNSET"}, ["password_missing"]),
        ({"username": "us", "register_there": True}, ["password_missing"]),
        ({"hosts": []}, ["no_way"]),
        ({"carries": ["*"]}, ["carries_all"]),
        ({"carries": ["*"], "refuses": ["+4990*"]}, []),
        ({"allowed_addresses": ["0.0.0.0/0"]}, ["open_door"]),
        ({"tls": {"ca": "/nowhere/ca.pem", "verify": False}}, ["no_file", "unverified"]),
        ({"carries": ["*"], "enabled": False}, []),
    ],
)
def test_files(settings: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in found_in(**settings)] == codes
