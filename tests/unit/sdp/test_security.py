"""SRTP in offers and answers: who gets what under which policy (RFC 4568 §7.1, RFC 8643)."""

from __future__ import annotations

import base64

import pytest

from voicegw.sdp.crypto import MasterKey, lines_of
from voicegw.sdp.description import SessionDescription, parse
from voicegw.sdp.negotiate import NotAcceptable, accept_answer, make_answer, make_offer
from voicegw.sdp.security import Security, SrtpPolicy

OFF, OPTIONAL, REQUIRED = SrtpPolicy.OFF, SrtpPolicy.OPTIONAL, SrtpPolicy.REQUIRED
AES_128, AES_256 = "AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"
OURS = {AES_256: b"\1" * 46, AES_128: b"\2" * 30}
THEIRS = b"\3" * 30


def security(policy: SrtpPolicy) -> Security:
    return Security(policy, {} if policy is OFF else OURS)


def crypto(tag: int, suite: str = AES_128, secret: bytes = THEIRS, rest: str = "") -> str:
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(secret).decode()}{rest}"


def description(*lines: str) -> SessionDescription:
    head = ["v=0", "o=x 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    return parse("".join(f"{line}\r\n" for line in (*head, *lines)).encode())


SAVP, AVP = "m=audio 5000 RTP/SAVP 0", "m=audio 5000 RTP/AVP 0"


def answer_to(policy: SrtpPolicy, *lines: str) -> tuple[str, list[int], bool]:
    """Protocol and tags of our answer, and whether the stream is protected."""
    answer = make_answer(description(*lines), "192.0.2.9", 6000, security=security(policy))
    media = next(media for media in answer.description.media if media.port)
    return media.protocol, [line.tag for line in lines_of(media)], answer.session.srtp is not None


def test_the_answer_has_the_tag_and_suite_of_the_line_that_is_taken_and_a_key_of_ours() -> None:
    offer = description(SAVP, crypto(3, "F8_128_HMAC_SHA1_80"), crypto(5), crypto(6, AES_256, b"\4" * 46))
    answer = make_answer(offer, "192.0.2.9", 6000, security=security(OPTIONAL))
    media = answer.description.media[0]
    assert media.protocol == "RTP/SAVP"
    assert [(line.tag, line.key) for line in lines_of(media)] == [(5, MasterKey(AES_128, OURS[AES_128]))]
    assert answer.session.srtp is not None
    assert answer.session.srtp.receive == MasterKey(AES_128, THEIRS)
    assert answer.session.srtp.send.secret == OURS[AES_128]


@pytest.mark.parametrize("policy", [OPTIONAL, REQUIRED])
@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"])
def test_a_protected_offer_is_taken_under_its_own_profile(policy: SrtpPolicy, protocol: str) -> None:
    assert answer_to(policy, f"m=audio 5000 {protocol} 0", crypto(1)) == (protocol, [1], True)


def test_plain_offers_and_plain_policies() -> None:
    assert answer_to(OPTIONAL, AVP) == ("RTP/AVP", [], False)
    assert answer_to(OFF, AVP, crypto(1)) == ("RTP/AVP", [], False)
    assert answer_to(OPTIONAL, AVP, crypto(1, rest=" UNENCRYPTED_SRTP")) == ("RTP/AVP", [], False)


@pytest.mark.parametrize(
    ("policy", "lines"),
    [
        (OFF, (SAVP, crypto(1))),
        (OPTIONAL, (SAVP,)),
        (OPTIONAL, (SAVP, crypto(1, rest=" KDR=3"))),
        (REQUIRED, (AVP,)),
        (REQUIRED, (SAVP,)),
        (REQUIRED, (AVP, crypto(1, "NEW_SUITE"))),
    ],
)
def test_without_a_way_that_suits_both_there_is_no_call(policy: SrtpPolicy, lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable) as refused:
        answer_to(policy, *lines)
    assert refused.value.status_hint == 488


def test_of_two_sections_the_protected_one_is_taken_where_it_may_be() -> None:
    both = (AVP, "m=audio 5002 RTP/SAVP 0", crypto(1))
    assert answer_to(OPTIONAL, *both) == ("RTP/SAVP", [1], True)
    assert answer_to(REQUIRED, *both) == ("RTP/SAVP", [1], True)
    assert answer_to(OFF, *both) == ("RTP/AVP", [], False)


def offered(policy: SrtpPolicy, before: SessionDescription | None = None) -> SessionDescription:
    return make_offer("192.0.2.9", 6000, before=before, security=security(policy))


def test_what_an_offer_says() -> None:
    assert offered(OFF).media[0].protocol == "RTP/AVP"
    assert lines_of(offered(OFF).media[0]) == ()
    for policy, protocol in ((OPTIONAL, "RTP/AVP"), (REQUIRED, "RTP/SAVP")):
        media = offered(policy).media[0]
        assert media.protocol == protocol
        assert [(line.tag, line.key.suite) for line in lines_of(media)] == [(1, AES_256), (2, AES_128)]


def test_a_stream_that_was_protected_by_its_profile_is_offered_so_again() -> None:
    offer = description(SAVP, crypto(1))
    before = make_answer(offer, "192.0.2.9", 6000, security=security(OPTIONAL)).description
    assert offered(OPTIONAL, before).media[0].protocol == "RTP/SAVP"


@pytest.mark.parametrize("policy", [OPTIONAL, REQUIRED])
@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/SAVP"])
def test_an_answer_names_the_line_by_its_tag(policy: SrtpPolicy, protocol: str) -> None:
    answer = description(f"m=audio 5000 {protocol} 0", crypto(2))
    session = accept_answer(offered(policy), answer)
    assert session.srtp is not None
    assert (session.srtp.send.secret, session.srtp.receive.secret) == (OURS[AES_128], THEIRS)


def test_who_does_not_know_crypto_lines_answers_plain_rtp() -> None:
    assert accept_answer(offered(OPTIONAL), description(AVP)).srtp is None


@pytest.mark.parametrize(
    ("policy", "lines"),
    [
        (REQUIRED, (AVP,)),
        (REQUIRED, (SAVP,)),
        (REQUIRED, (SAVP, crypto(3))),
        (REQUIRED, (SAVP, crypto(1))),  # the tag of another suite
        (OPTIONAL, (AVP, crypto(9))),  # it encrypts, we could not read it
        (OPTIONAL, (SAVP,)),
        (OFF, (SAVP, crypto(1))),
    ],
)
def test_an_answer_that_protects_less_or_otherwise_is_none(policy: SrtpPolicy, lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable):
        accept_answer(offered(policy), description(*lines))


def test_keys_are_not_shown() -> None:
    answer = make_answer(description(SAVP, crypto(1)), "192.0.2.9", 6000, security=security(REQUIRED))
    shown = repr(answer.session) + repr(security(REQUIRED))
    assert repr(THEIRS) not in shown
    assert repr(OURS[AES_128]) not in shown
