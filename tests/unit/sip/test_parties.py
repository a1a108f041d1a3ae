"""What an INVITE says about who calls whom: asserted identities, privacy, diversions, history, numbers."""

from __future__ import annotations

import base64
import json

import pytest

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.asserted import RemoteParty, is_anonymous, is_withheld, privacy, privacy_value, remote_parties
from voicegw.sip.diversion import Diversion, HistoryEntry, diversions, history, why
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers, Request
from voicegw.sip.parties import Parties, read_parties
from voicegw.sip.reason import Reason, parse_reason, q850_cause, reasons
from voicegw.sip.stir import passport, verdict
from voicegw.sip.user_to_user import UserToUser, user_to_user

FROM = ("From", '"Ada" <sip:+49301234@carrier.test>;tag=1')
TO = ("To", "<sip:100@house.test>")


def parties(*headers: tuple[str, str], uri: str = "sip:100@house.test", **how: bool) -> Parties:
    given = {name.lower() for name, _ in headers}
    usual = [one for one in (FROM, TO) if one[0].lower() not in given]
    return read_parties(Request("INVITE", uri, Headers((*usual, *headers))), **how)


def test_a_plain_call() -> None:
    assert parties() == Parties("+49301234", "Ada", "100")


def test_asserted_identities_count_where_they_are_trusted() -> None:
    pai = ("P-Asserted-Identity", '"Ada L." <sip:ada@carrier.test>, <tel:+49-30-555>')
    assert parties(pai).calling == "+49301234"
    believed = parties(pai, trusted=True)
    assert (believed.calling, believed.asserted) == ("+49555"[:3] + "30555", True)
    assert believed.display_name == "Ada"
    named = parties(("P-Asserted-Identity", '"Ada L." <sip:+4930555@carrier.test>'), trusted=True)
    assert (named.calling, named.display_name) == ("+4930555", "Ada L.")


def test_remote_party_id_is_the_older_way() -> None:
    rpid = ("Remote-Party-ID", '"Bob" <sip:4930777@pbx.test>;party=calling;screen=yes;privacy=off')
    assert parties(rpid, trusted=True).calling == "4930777"
    called = ("Remote-Party-ID", "<sip:9@pbx.test>;party=called")
    assert parties(called, trusted=True).calling == "+49301234"
    both = ("P-Asserted-Identity", "<sip:+4930555@carrier.test>")
    assert parties(rpid, both, trusted=True).calling == "+4930555"


def test_a_withheld_number_is_known_to_us_and_marked() -> None:
    nobody = ("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    asked = ("Privacy", "user;id")
    hidden = parties(nobody, asked, ("P-Asserted-Identity", "<sip:+4930555@carrier.test>"), trusted=True)
    assert (hidden.calling, hidden.withheld, hidden.asserted) == ("+4930555", True, True)
    assert parties(nobody, asked).calling == ""
    assert parties(nobody).withheld
    assert not parties(("Privacy", "none")).withheld
    assert parties(("Remote-Party-ID", "<sip:1@x.test>;privacy=full")).withheld


@pytest.mark.parametrize(
    ("uri", "nobody"),
    [
        ("sip:anonymous@anonymous.invalid", True),
        ("sip:Anonymous@192.0.2.1:5060;user=phone", True),
        ("sip:c8oqz84zk7z@anonymous.invalid", True),
        ("sip:anonymous.invalid", True),
        ("sip:anonymous", False),
        ("tel:+1", False),
        ("sip:ann@anonymous.example", False),
    ],
)
def test_anonymous_uris(uri: str, nobody: bool) -> None:
    assert is_anonymous(uri) is nobody


@pytest.mark.parametrize(
    ("uri", "called", "subaddress"),
    [
        ("tel:+49-(30)-555.1", "+49305551", ""),
        ("tel:+4930555;isub=12%2034;phone-context=x", "+4930555", "12 34"),
        ("sip:+49-30-555@house.test;user=phone", "+4930555", ""),
        ("sip:+4930555;isub=7;ext=2@house.test;user=phone", "+4930555", "7"),
        ("sip:house.test", "100", ""),
    ],
)
def test_forms_of_the_called_number(uri: str, called: str, subaddress: str) -> None:
    found = parties(uri=uri)
    assert (found.called, found.subaddress) == (called, subaddress)


def test_where_the_request_uri_has_our_account() -> None:
    uri = "sip:line1@house.test"
    assert parties(uri=uri).called == "line1"
    assert parties(uri=uri, number_in_to=True).called == "100"
    known = ("P-Called-Party-ID", "<sip:+4930999@house.test>")
    assert parties(known, uri=uri, number_in_to=True).called == "+4930999"


def test_the_number_beside_the_name_of_the_line() -> None:
    line = ("From", '"+4930777" <sip:trunk@pbx.test>;tag=1')
    assert parties(line, number_in_display_name=True).calling == "+4930777"
    assert parties(number_in_display_name=True).calling == "+49301234"


def test_diversions_tell_the_first_and_the_last() -> None:
    found = parties(
        ("Diversion", "<sip:+4930222@pbx.test>;reason=no-answer;counter=1"),
        ("Diversion", '<sip:+4930111@pbx.test>;reason="user-busy";privacy=full'),
    )
    assert (found.original_called, found.diverted_by, found.diversion_reason) == (
        "+4930111",
        "+4930222",
        "no-answer",
    )


def test_history_tells_the_same() -> None:
    found = parties(
        ("History-Info", "<sip:+4930111@pbx.test>;index=1, <sip:+4930222@pbx.test;cause=486>;index=1.1;mp=1"),
        ("History-Info", "<sip:100@house.test;cause=408>;index=1.1.1;mp=1.1"),
    )
    assert (found.original_called, found.diverted_by, found.diversion_reason) == (
        "+4930111",
        "+4930222",
        "no-answer",
    )


def test_history_with_the_reason_inside_the_uri() -> None:
    found = parties(
        ("History-Info", "<sip:+4930111@pbx.test?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1"),
        ("History-Info", "<sip:100@house.test>;index=1.1"),
    )
    assert (found.diverted_by, found.diversion_reason) == ("+4930111", "user-busy")


def test_history_without_a_diversion() -> None:
    found = parties(("History-Info", "<sip:+4930111@pbx.test>;index=1, <sip:100@house.test>;index=1.1;rc=1"))
    assert (found.original_called, found.diverted_by, found.diversion_reason) == ("+4930111", "", "")
    assert parties(("History-Info", "<sip:100@house.test>;index=1")).original_called == ""


def test_indices_are_numbers() -> None:
    values = [f"<sip:{place}@x.test>;index=1.{place}" for place in (10, 2, 1)]
    order = [entry.index for entry in history(Headers([("History-Info", ", ".join(values))]))]
    assert order == ["1.1", "1.2", "1.10"]


@pytest.mark.parametrize(
    "value",
    [
        "<sip:a@b>",
        "<sip:a@b>;index=x",
        "<sip:a@b>;index=1.",
        "<sip:a@b>;index=99999",
        "garbage",
        "<sip:a@b;index=1",
    ],
)
def test_bad_history_is_left_out(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        HistoryEntry.parse(value)
    assert parties(("History-Info", value)).original_called == ""


def test_bad_headers_hurt_nobody() -> None:
    found = parties(
        ("Diversion", '"broken <sip:a@b'),
        ("P-Asserted-Identity", "what, ever"),
        ("Remote-Party-ID", "<>"),
        ("Privacy", ";;;"),
        ("User-to-User", ";encoding=hex"),
        ("Identity", "a.b.c"),
        trusted=True,
    )
    assert found == Parties("+49301234", "Ada", "100")


def test_a_hundred_diversions_are_not_read() -> None:
    many = ", ".join("<sip:1@x.test>" for _ in range(100))
    assert len(list(diversions(Headers([("Diversion", many)])))) == 30


def test_causes_of_history_have_words() -> None:
    assert [why(cause) for cause in (302, 486, 408, 480, 503, 404, 999)] == [
        "unconditional",
        "user-busy",
        "no-answer",
        "deflection",
        "unavailable",
        "unknown",
        "unknown",
    ]


# -------------------------------------------------------------------- signed identities


def token(claims: object) -> str:
    def part(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'ES256', 'ppt': 'shaken'})}.{part(claims)}.{'c' * 86}"


def test_a_passport_is_read_and_believed_by_nobody() -> None:
    claims = {"attest": "A", "origid": "123e4567", "orig": {"tn": "49301234"}, "dest": {"tn": ["100"]}, "iat": 1}
    value = f"{token(claims)};info=<https://cert.test/x.pem>;alg=ES256;ppt=shaken"
    read = passport(Headers([("Identity", value)]))
    assert read is not None
    assert (read.attestation, read.origin_id, read.orig, read.dest) == ("A", "123e4567", "49301234", "100")
    assert parties(("y", value)).attestation == "A"
    assert parties(("Identity", value)).verified == ""


@pytest.mark.parametrize(
    "claims", [[], 7, {"attest": 7}, {"attest": "\ud800"}, {"attest": "Z"}, {"orig": "x", "dest": {"tn": []}}]
)
def test_odd_passports(claims: object) -> None:
    read = passport(Headers([("Identity", token(claims))]))
    assert read is None or (read.attestation, read.orig, read.dest) == ("", "", "")


def test_half_a_surrogate_pair_is_no_part_of_a_claim() -> None:
    """Anybody may send it, and it could be written to no log."""
    read = passport(Headers([("Identity", token({"attest": "A", "origid": "\ud800", "orig": {"tn": "\udfff"}}))]))
    assert read is not None and (read.attestation, read.origin_id, read.orig) == ("A", "", "")


def test_a_passport_without_claims_or_too_long() -> None:
    assert passport(Headers([("Identity", f"..{'c' * 86};info=<https://x.test>")])) is None
    assert passport(Headers([("Identity", "a." + "b" * 20_000 + ".c")])) is None
    assert passport(Headers()) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("<sip:+1555@x.test;user=phone;verstat=TN-Validation-Passed>", "passed"),
        ("<sip:+1555;verstat=TN-Validation-Failed@x.test;user=phone>", "failed"),
        ("<tel:+1555;verstat=No-TN-Validation>", "none"),
        ("<tel:+1555>;verstat=TN-Validation-Passed-A", "passed"),
        ("<sip:+1555@x.test>;verstat=odd", ""),
        ("<sip:+1555@x.test>", ""),
        ("<mailto:a@x.test>", ""),
    ],
)
def test_verstat_wherever_it_stands(value: str, said: str) -> None:
    assert verdict(NameAddr.parse(value)) == said


def test_verstat_of_a_trusted_network_only() -> None:
    sender = ("From", "<sip:+1555@x.test;verstat=TN-Validation-Passed>;tag=1")
    assert parties(sender).verified == ""
    assert parties(sender, trusted=True).verified == "passed"


# -------------------------------------------------------------------- user to user, reason, privacy


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("04746573743d31;encoding=hex;purpose=isdn-uui", b"\x04test=1"),
        ("56a390f3d2b7310023;purpose=x", bytes.fromhex("56a390f3d2b7310023")),
        ('"plain; text, with all";encoding=ascii', b"plain; text, with all"),
        ("no-hex", b"no-hex"),
    ],
)
def test_user_to_user(value: str, data: bytes) -> None:
    read = user_to_user(Headers([("User-to-User", value)]))
    assert [one.data for one in read] == [data]


def test_user_to_user_as_text() -> None:
    assert UserToUser(b"\x04order=7").text == "order=7"
    assert UserToUser(b"order=7").text == "order=7"
    assert parties(("User-to-User", "046f726465723d37;encoding=hex")).user_to_user == "order=7"


def test_reasons() -> None:
    headers = Headers(
        [("Reason", 'SIP;cause=600;text="Busy, everywhere", q.850 ;cause=17'), ("Reason", "bad cause")]
    )
    assert reasons(headers) == (Reason("SIP", 600, "Busy, everywhere"), Reason("Q.850", 17))
    assert q850_cause(headers) == 17
    assert q850_cause(Headers()) == 0
    with pytest.raises(RemoteProtocolError):
        parse_reason("Q.850;cause=4711x")


def test_setters_refuse_what_would_end_a_line() -> None:
    for broken in ("a\r\nX: y", "a\0", "a\n"):
        with pytest.raises(LocalError):
            Reason("SIP", 200, broken)
        with pytest.raises(LocalError):
            Reason(broken)
        with pytest.raises(LocalError):
            privacy_value((broken,))
        with pytest.raises(LocalError):
            str(Diversion(NameAddr("sip:a@b"), reason=broken))
        with pytest.raises(LocalError):
            str(RemoteParty(NameAddr("sip:a@b"), party=broken))
        with pytest.raises(LocalError):
            UserToUser(b"", purpose=broken)
        with pytest.raises(LocalError):
            HistoryEntry(NameAddr("sip:a@b"), broken)
        with pytest.raises(LocalError):
            HistoryEntry(NameAddr("sip:a@b"), "1", via=broken)


def test_privacy_words() -> None:
    assert privacy(Headers([("Privacy", "Header; ID"), ("Privacy", "critical")])) == {"header", "id", "critical"}
    assert privacy_value(("id", "critical")) == "id;critical"
    assert not is_withheld(Headers([("From", "nonsense")]))
    assert remote_parties(Headers([("Remote-Party-ID", "<sip:a@b>, nonsense")]))[0].party == "calling"
