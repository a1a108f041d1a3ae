"""Keys of a leg: where they may be told, how long they last, and when they become others."""

from __future__ import annotations

import logging
import random
from dataclasses import replace

import pytest
from pydantic import ValidationError

from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.gateway.attempts import Attempts, Dialled
from voicegw.gateway.config import SipConfig
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_security import LegSecurity, MediaSecurity, warn_of
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.way import DIRECT
from voicegw.sdp import description as sdp
from voicegw.sdp.crypto import CryptoLine, lines_of
from voicegw.sdp.negotiate import DTMF, PCMU, NotAcceptable
from voicegw.sdp.security import SrtpKeys, SrtpPolicy
from voicegw.sip.address import Address, Transport
from voicegw.sip.headers import NameAddr

UDP, TLS = Address("192.0.2.7", 5060), Address("192.0.2.7", 5061, Transport.TLS)
OFF, OPTIONAL, REQUIRED = (MediaSecurity(policy) for policy in SrtpPolicy)


def leg(settings: MediaSecurity, peer: Address = TLS, number: int = 1) -> SipLeg:
    security = LegSecurity(settings, random.Random(number).randbytes)
    made = SipLeg(LegId("leg"), None, peer, (PCMU, DTMF), number, security=security)
    made.place_media("192.0.2.9", 4000 + 2 * number)
    return made


def lines(body: bytes) -> tuple[CryptoLine, ...]:
    return lines_of(sdp.parse(body).media[0])


def agreed(caller: SipLeg, callee: SipLeg) -> tuple[SrtpKeys | None, SrtpKeys | None]:
    """Both sides' keys after an offer of the caller's."""
    answer, session = callee.answer(caller.offer())
    caller.accept_answer(answer)
    caller.agreed = callee.agreed = True
    assert caller.session is not None
    return caller.session.srtp, session.srtp


@pytest.mark.parametrize("settings", [OPTIONAL, REQUIRED])
def test_what_one_sends_with_the_other_receives_with(settings: MediaSecurity) -> None:
    ours, theirs = agreed(leg(settings, number=1), leg(settings, number=2))
    assert ours is not None
    assert theirs is not None
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    assert ours.send.suite == "AEAD_AES_256_GCM"


def test_each_suite_of_an_offer_has_a_key_of_its_own() -> None:
    offered = lines(leg(OPTIONAL).offer())
    assert [line.key.suite for line in offered] == list(SRTP_SUITES)
    assert len({line.key.secret[:16] for line in offered}) == len(SRTP_SUITES)


def test_without_tls_no_key_is_told_and_none_is_taken() -> None:
    assert lines(leg(OPTIONAL, UDP).offer()) == ()
    assert leg(OPTIONAL, UDP).answer(leg(OPTIONAL).offer())[1].srtp is None
    with pytest.raises(NotAcceptable):
        leg(OPTIONAL, UDP).answer(leg(REQUIRED).offer())
    with pytest.raises(NotAcceptable):
        leg(REQUIRED, UDP).offer()
    with pytest.raises(NotAcceptable):
        leg(REQUIRED, UDP).answer(leg(REQUIRED).offer())


def test_unless_the_network_is_said_to_be_trusted() -> None:
    trusting = replace(REQUIRED, in_clear=True)
    assert all(agreed(leg(trusting, UDP, 1), leg(trusting, UDP, 2)))
    assert leg(trusting, UDP).may_call(UDP)
    assert not leg(REQUIRED).may_call(UDP)
    assert leg(OPTIONAL).may_call(UDP)


def test_a_session_that_is_refreshed_says_what_it_said() -> None:
    caller, callee = leg(REQUIRED, number=1), leg(REQUIRED, number=2)
    before = agreed(caller, callee)
    assert agreed(caller, callee) == before
    assert agreed(callee, caller) == before[::-1], "also from the other side"


def test_hold_keeps_the_keys() -> None:
    caller, callee = leg(REQUIRED, number=1), leg(REQUIRED, number=2)
    before = agreed(caller, callee)
    held, session = callee.answer(caller.offer().replace(b"a=sendrecv", b"a=inactive"))
    assert session.on_hold
    assert session.srtp is not None
    assert session.srtp == before[1]
    assert lines(held)[0].key == session.srtp.send


def test_what_was_agreed_is_offered_first_from_then_on() -> None:
    caller = leg(replace(OPTIONAL, suites=("AES_CM_128_HMAC_SHA1_80",)), number=1)
    callee = leg(OPTIONAL, number=2)
    agreed(caller, callee)
    assert lines(callee.offer())[0].key.suite == "AES_CM_128_HMAC_SHA1_80"


def test_who_changes_their_key_gets_another_one() -> None:
    callee = leg(REQUIRED, number=2)
    before = agreed(leg(REQUIRED, number=1), callee)[1]
    after = agreed(leg(REQUIRED, number=3), callee)[1]
    assert before is not None
    assert after is not None
    assert after.receive != before.receive
    assert after.send != before.send


def test_an_optional_stream_may_become_plain_and_a_required_one_may_not() -> None:
    plain = leg(OFF, number=3).offer()
    callee = leg(OPTIONAL, number=2)
    agreed(leg(OPTIONAL, number=1), callee)
    assert callee.answer(plain)[1].srtp is None
    callee = leg(REQUIRED, number=2)
    keys = agreed(leg(REQUIRED, number=1), callee)[1]
    with pytest.raises(NotAcceptable):
        callee.answer(plain)
    assert callee.session is not None
    assert callee.session.srtp == keys, "and all stays as it was"


def test_every_server_that_is_tried_gets_keys_of_its_own() -> None:
    caller = leg(REQUIRED)
    dialled = Dialled("sip:a@192.0.2.7", NameAddr.parse("<sip:b@192.0.2.9>"), (), DIRECT)
    caller.attempts = Attempts(dialled, [], "", "")
    assert lines(caller.offer()) != lines(caller.offer())


def test_a_trunk_says_for_itself() -> None:
    node = MediaSecurity(SrtpPolicy.OPTIONAL, suites=("AEAD_AES_128_GCM",))
    assert TrunkSettings().media_security(node) == node
    strict = TrunkSettings(srtp="required", srtp_in_clear=True).media_security(node)
    assert strict == MediaSecurity(SrtpPolicy.REQUIRED, True, ("AEAD_AES_128_GCM",))
    with pytest.raises(ValidationError, match="fix: set 'transport: tls'"):
        TrunkSettings(hosts=("192.0.2.7",), srtp="required")
    assert TrunkSettings(hosts=("192.0.2.7",), srtp="required", transport="tls").srtp == "required"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"srtp": "sometimes"}, "srtp cannot be"),
        ({"srtp_suites": ("ROT13",)}, "unknown SRTP suites: ROT13"),
        ({"srtp_suites": ()}, "none given"),
        ({"srtp": "required"}, "nobody can reach us by TLS"),
    ],
)
def test_a_node_is_told_what_cannot_be(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        SipConfig(**settings)  # type: ignore[arg-type]


def test_a_node_may_require_srtp() -> None:
    by_tls = ListenerConfig("tls", 5061, "127.0.0.1", certificate="c.pem", key="k.pem")
    assert SipConfig(srtp="required", listeners=(by_tls,)).media_security.policy is SrtpPolicy.REQUIRED
    assert SipConfig(srtp="required", srtp_in_clear=True).media_security.in_clear


def test_a_machine_without_the_library_is_told_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("voicegw.gateway.config.available_suites", frozenset)
    monkeypatch.setattr("voicegw.gateway.trunk_settings.available_suites", frozenset)
    with pytest.raises(ConfigError, match="library is missing"):
        SipConfig(srtp="required", srtp_in_clear=True)
    with pytest.raises(ValidationError, match="library is missing"):
        TrunkSettings(srtp="required")
    missing = SipConfig().media_security
    with caplog.at_level(logging.WARNING):
        warn_of(missing)
    assert "there is no SRTP" in caplog.text
    assert leg(missing).answer(leg(OPTIONAL).offer())[1].srtp is None
    assert lines(leg(missing).offer()) == ()


def test_keys_in_clear_are_named_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of(replace(OPTIONAL, in_clear=True))
    assert "sip.srtp_in_clear is set" in caplog.text
