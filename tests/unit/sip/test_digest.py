"""Digests against the examples of the RFCs, and the grammar of their headers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.auth_headers import AuthHeader, parse_auth, write_auth
from voicegw.sip.digest import Algorithm, Credentials, Proof, make_ha1, parse_algorithm
from voicegw.sip.grammar import to_wire

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_3_9_1(algorithm: Algorithm, response: str) -> None:
    ha1 = make_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    proof = Proof(algorithm, False, NONCE, "GET", "/dir/index.html", "auth", "00000001", CNONCE)
    assert proof.response(ha1) == response


def test_the_example_of_rfc_7616_3_9_2_as_erratum_4897_has_it() -> None:
    ha1 = make_ha1(Algorithm.SHA_512_256, to_wire("Jäsøn Doe"), "api@example.org", "Secret, or not?")
    proof = Proof(
        Algorithm.SHA_512_256,
        False,
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "GET",
        "/doe.json",
        "auth",
        "00000001",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    )
    assert proof.response(ha1) == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_the_example_of_rfc_2617_and_its_predecessor_without_qop() -> None:
    ha1 = make_ha1(Algorithm.MD5, "Mufasa", "testrealm@host.com", "Circle Of Life")
    assert ha1 == "939e7578ed9e3c518a452acee763bce9"
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    with_qop = Proof(Algorithm.MD5, False, nonce, "GET", "/dir/index.html", "auth", "00000001", "0a4f113b")
    assert with_qop.response(ha1) == "6629fae49393a05397450978507c4ef1"
    without = Proof(Algorithm.MD5, False, nonce, "GET", "/dir/index.html")
    assert without.response(ha1) == "670fd8c2df070c60b045671b8b24ff02"


def test_session_kind_and_body_each_change_the_response() -> None:
    ha1 = make_ha1(Algorithm.SHA_256, "u", "r", "p")
    h = Algorithm.SHA_256.hash
    session = Proof(Algorithm.SHA_256, True, "n", "REGISTER", "sip:r", "auth", "00000002", "c")
    assert session.response(ha1) == h(f"{h(f'{ha1}:n:c')}:n:00000002:c:auth:{h('REGISTER:sip:r')}")
    whole = Proof(Algorithm.SHA_256, False, "n", "INVITE", "sip:r", "auth-int", "00000001", "c", b"v=0\r\n")
    body = Algorithm.SHA_256.hash_bytes(b"v=0\r\n")
    about = h(f"INVITE:sip:r:{body}")
    assert whole.response(ha1) == h(f"{ha1}:n:00000001:c:auth-int:{about}")


@pytest.mark.parametrize(
    ("token", "known"),
    [
        ("", (Algorithm.MD5, False)),
        ("md5", (Algorithm.MD5, False)),
        ("MD5-sess", (Algorithm.MD5, True)),
        ("SHA-256", (Algorithm.SHA_256, False)),
        ("sha-512-256-SESS", (Algorithm.SHA_512_256, True)),
        ("SHA-1", None),
        ("AKAv1-MD5", None),
    ],
)
def test_algorithms_by_their_tokens(token: str, known: object) -> None:
    assert parse_algorithm(token) == known


def test_credentials_show_no_secret_and_prefer_a_kept_ha1() -> None:
    credentials = Credentials("me", "secret word", {Algorithm.SHA_256: "ab" * 32})
    assert "secret word" not in repr(credentials) and "abab" not in repr(credentials)
    assert credentials.secret(Algorithm.SHA_256, "r") == "ab" * 32
    assert credentials.secret(Algorithm.MD5, "r") == make_ha1(Algorithm.MD5, "me", "r", "secret word")
    assert Credentials("me", ha1={Algorithm.MD5: "cd" * 16}).secret(Algorithm.SHA_256, "r") is None


def test_a_header_is_read_whatever_its_spaces_case_and_quotes() -> None:
    line = 'DIGEST realm="a \\"b\\", c" ,Nonce = "n,1", stale=TRUE,qop="auth,auth-int", algorithm="MD5",'
    (header,) = parse_auth(line)
    assert header.is_digest and header.is_true("stale")
    assert header.params == {
        "realm": 'a "b", c',
        "nonce": "n,1",
        "stale": "TRUE",
        "qop": "auth,auth-int",
        "algorithm": "MD5",
    }


def test_two_challenges_in_one_line_are_two() -> None:
    first, second = parse_auth('Digest realm="a", nonce="1", Digest realm="b", nonce="2"')
    assert (first.get("realm"), second.get("realm"), second.get("nonce")) == ("a", "b", "2")


@pytest.mark.parametrize(
    "line",
    [
        'realm="a"',
        "Digest",
        "Digest realm",
        'Digest realm="a',
        'Digest realm="a" b',
        'Digest realm="a", realm="b"',
        'Digest re alm="a"',
        "Digest realm=a b",
        'Digest realm="a\r\nVia: x"',
        "Digest " + ", ".join(f"p{number}=1" for number in range(40)),
    ],
)
def test_what_is_no_such_header_is_refused(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_auth(line)


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(realm=TEXT, nonce=TEXT, opaque=TEXT)
def test_what_is_written_is_read_again(realm: str, nonce: str, opaque: str) -> None:
    header = AuthHeader("Digest", {"realm": realm, "nonce": nonce, "opaque": opaque, "nc": "00000001"})
    assert parse_auth(write_auth(header)) == [header]


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from('Digest realm="\\,= \x00a'), max_size=40))
def test_any_text_is_read_or_refused(line: str) -> None:
    with suppress(RemoteProtocolError):
        parse_auth(line)
