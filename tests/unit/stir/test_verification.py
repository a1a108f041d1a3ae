"""Each step of verification refuses for its own reason, and takes what is right."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.unit.stir.authority import (
    CALLED,
    CALLER,
    NOW,
    ORIGIN,
    POLICY,
    ROOT,
    SIGNER,
    URL,
    Authority,
    Issued,
    claims,
    compact,
    credential,
    head,
    identity,
    new_key,
    tn_list,
)
from voicegw.stir.credentials import Credential, read_revoked
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.passport import Passport, canonical_json, encoded
from voicegw.stir.replays import Replays
from voicegw.stir.verification import Claims, Proof, examine, judge

SAID = Claims((), (CALLER,), (CALLED,), int(NOW))
SIGNED = credential()


def always(_passport: Passport) -> bool:
    return True


def verify(
    *identities: str,
    said: Claims = SAID,
    certificates: Mapping[str, Credential | IdentityFault] | None = None,
    wall: float = NOW,
) -> Proof | IdentityFault:
    found = replace(said, identities=identities)
    known = {URL: SIGNED} if certificates is None else certificates
    try:
        return judge(examine(found, wall, 60.0), found, known, wall, always)
    except IdentityFault as fault:
        return fault


def fault_of(found: Proof | IdentityFault) -> tuple[Fault, str]:
    assert isinstance(found, IdentityFault), found
    return found.fault, str(found)


def proof(found: Proof | IdentityFault) -> Proof:
    assert isinstance(found, Proof), found
    return found


# -------------------------------------------------------------------- what passes


@pytest.mark.parametrize("attestation", ["A", "B", "C"])
def test_a_good_signature_proves_the_number_and_says_what_it_attests(attestation: str) -> None:
    found = proof(verify(identity(claims(attest=attestation))))
    assert found == Proof(CALLER, attestation, ORIGIN, "CN=SHAKEN 709J")


def test_the_compact_form_is_made_whole_from_the_request() -> None:
    """RFC 8224 §7: From, To and Date are what was signed."""
    assert proof(verify(compact())) == Proof(CALLER, signer="CN=SHAKEN 709J")
    assert fault_of(verify(compact(orig="12025550199")))[0] is Fault.INVALID
    assert fault_of(verify(compact(), said=replace(SAID, date=int(NOW) + 1)))[0] is Fault.INVALID


def test_the_full_form_is_checked_as_it_was_sent_whatever_the_order_of_its_keys() -> None:
    header = f'{{"typ":"passport", "ppt":"shaken","x5u":"{URL}","alg":"ES256"}}'
    signed = f"{encoded(header.encode())}.{encoded(canonical_json(claims()))}"
    value = f"{signed}.{encoded(SIGNER.sign(signed.encode()))};info=<{URL}>"
    assert proof(verify(value)).attestation == "A"


def test_shaken_counts_before_a_plain_token_wherever_it_stands() -> None:
    assert proof(verify(compact(), identity())).attestation == "A"


def test_a_good_one_of_several_is_enough() -> None:
    torn = identity()[:40]
    assert proof(verify(torn, identity(claims(orig={"tn": "12"})), identity())).orig == CALLER


def test_a_number_may_have_several_destinations() -> None:
    assert proof(verify(identity(claims(dest={"tn": ["12155550199", CALLED]})))).orig == CALLER


# -------------------------------------------------------------------- form


def test_no_header_at_all() -> None:
    assert fault_of(verify()) == (Fault.MISSING, "no Identity header")


def test_kinds_that_nobody_asked_about_are_as_if_they_were_not_there() -> None:
    """RFC 8224 §6.2, step 1; and the fault that is told is that of the one that counts."""
    rich = identity(claims(), head(ppt="rcd"))
    assert fault_of(verify(rich))[0] is Fault.MISSING
    assert fault_of(verify(rich, identity(claims(orig={"tn": "12025550199"}))))[0] is Fault.INVALID


def torn(value: str) -> list[str]:
    token, _, tail = value.partition(";")
    header, payload, signature = token.split(".")
    return [
        f"{header}.{payload};{tail}",
        f"{header}.{payload}.{signature}.{signature};{tail}",
        f"{header}.{payload[:-2]}.{signature};{tail}",
        f"{header}!.{payload}.{signature};{tail}",
        f"{header}=.{payload}.{signature};{tail}",
        f".{payload}.{signature};{tail}",
        f"{header}..{signature};{tail}",
        f"{header}.{payload}.{signature[:-10]};{tail}",
        f"{header}.{payload}.{signature}; {tail};info",
        f"{header}.{payload}.{signature};{tail};alg=ES256",
        f"{header}.{encoded(b'[1]')}.{signature};{tail}",
        f"{header}.{encoded(b'[' * 5000)}.{signature};{tail}",
        f"{header}.{encoded(bytes([0xFF, 0xFE]))}.{signature};{tail}",
        f"{header}.{'A' * 20_000}.{signature};{tail}",
        "",
        ";",
        "x" * 100_000,
    ]


@pytest.mark.parametrize("value", torn(identity()))
def test_what_cannot_be_read_is_invalid(value: str) -> None:
    assert fault_of(verify(value))[0] is Fault.INVALID


def test_without_info_nobody_knows_who_signed() -> None:
    assert fault_of(verify(identity(tail=";alg=ES256")))[0] is Fault.UNFETCHED
    assert fault_of(verify(identity(tail=f";info=<https://c.test/{'x' * 2000}>")))[0] is Fault.UNFETCHED


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"alg": "none"}, Fault.UNTRUSTED),
        ({"alg": "RS256"}, Fault.UNTRUSTED),
        ({"alg": "HS256"}, Fault.UNTRUSTED),
        ({"alg": "es256"}, Fault.UNTRUSTED),
        ({"alg": None}, Fault.UNTRUSTED),
        ({"typ": "JWT"}, Fault.INVALID),
        ({"typ": None}, Fault.INVALID),
        ({"x5u": "https://certificates.test/other.pem"}, Fault.INVALID),
        ({"x5u": None}, Fault.INVALID),
        ({"crit": ["b64"]}, Fault.INVALID),
        ({"ppt": 5}, Fault.MISSING),
    ],
)
def test_headers_of_other_kinds_are_refused_before_the_signature_is_looked_at(
    header: dict[str, object], fault: Fault
) -> None:
    value = identity(claims(), head(**header), tail=f";info=<{URL}>")
    assert fault_of(verify(value, certificates={}))[0] is fault


def test_the_parameter_alg_counts_too_and_ppt_has_to_be_that_of_the_token() -> None:
    assert fault_of(verify(identity(tail=f";info=<{URL}>;alg=RS256")))[0] is Fault.UNTRUSTED
    assert fault_of(verify(identity(tail=f";info=<{URL}>;ppt=div")))[0] is Fault.INVALID
    assert proof(verify(identity(tail=f' ; ppt="shaken" ; info=<{URL}>'))).attestation == "A"


@pytest.mark.parametrize(
    "payload",
    [
        {"attest": "D"},
        {"attest": None},
        {"attest": ["A"]},
        {"origid": "not-a-uuid"},
        {"origid": None},
        {"orig": None},
        {"orig": CALLER},
        {"orig": {"uri": "sip:ada@example.test"}},
        {"orig": {"tn": f"+{CALLER}"}},
        {"orig": {"tn": "1" * 65}},
        {"orig": {"tn": ["1", "2"]}},
        {"dest": None},
        {"dest": {"tn": []}},
        {"dest": {"tn": [CALLED] * 33}},
        {"dest": {"tn": [5]}},
        {"iat": None},
        {"iat": "1767261600"},
        {"iat": True},
        {"iat": float(NOW)},
        {"iat": 1 << 60},
        {"iat": -1},
    ],
)
def test_claims_that_break_the_rules_are_invalid(payload: dict[str, object]) -> None:
    assert fault_of(verify(identity(claims(**payload))))[0] is Fault.INVALID


def test_a_claim_that_stands_twice_is_invalid() -> None:
    """Whoever checks the first and shows the second would be deceived."""
    twice = canonical_json(claims()).replace(b'{"attest":"A"', b'{"attest":"C","attest":"A"')
    signed = f"{encoded(canonical_json(head()))}.{encoded(twice)}"
    value = f"{signed}.{encoded(SIGNER.sign(signed.encode()))};info=<{URL}>"
    assert fault_of(verify(value)) == (Fault.INVALID, "the payload is no JSON")


def test_a_compact_token_takes_a_date_and_no_extension() -> None:
    assert fault_of(verify(compact(), said=replace(SAID, date=None)))[0] is Fault.STALE
    assert fault_of(verify(f"{compact()};ppt=shaken"))[0] is Fault.INVALID


# -------------------------------------------------------------------- time and numbers


@pytest.mark.parametrize("seconds", [-61, 61, -86_400, 86_400])
def test_what_was_signed_long_ago_or_will_be_is_stale(seconds: int) -> None:
    value = identity(claims(iat=int(NOW) + seconds))
    assert fault_of(verify(value, said=replace(SAID, date=None)))[0] is Fault.STALE


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_minute_either_way_is_fresh(seconds: int) -> None:
    assert proof(verify(identity(claims(iat=int(NOW) + seconds)))).orig == CALLER


def test_date_and_iat_have_to_agree() -> None:
    assert fault_of(verify(identity(), said=replace(SAID, date=int(NOW) - 61)))[0] is Fault.STALE
    assert proof(verify(identity(), said=replace(SAID, date=None))).orig == CALLER


def test_another_callers_signature_proves_nothing() -> None:
    found = fault_of(verify(identity(claims(orig={"tn": "12025550199"}))))
    assert found == (Fault.INVALID, "signed for another number than the caller's")


def test_a_signature_for_a_call_to_somebody_else_is_invalid() -> None:
    found = fault_of(verify(identity(claims(dest={"tn": ["12155550199"]}))))
    assert found == (Fault.INVALID, "signed for a call to another number")


def test_a_token_is_good_for_one_call() -> None:
    replays = Replays(10, 120.0)
    said = replace(SAID, identities=(identity(),))

    def of_call(call_id: str, wall: float = NOW) -> Proof:
        examined = examine(said, wall, 1e9)
        return judge(examined, said, {URL: SIGNED}, wall, lambda one: replays.is_new(one.signed, call_id, wall))

    assert of_call("one").orig == of_call("one").orig == CALLER
    with pytest.raises(IdentityFault, match="another call has used") as caught:
        of_call("two")
    assert caught.value.fault is Fault.INVALID
    assert of_call("two", NOW + 121).orig == CALLER


def test_a_second_signature_of_the_same_token_is_the_same_token() -> None:
    """(r, n - s) verifies as (r, s) does, and anybody can compute it."""
    token, _, tail = identity().partition(";")
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert SIGNED.signed(signed.encode(), other)
    replays = Replays(10, 120.0)
    keys = [
        examine(replace(SAID, identities=(f"{signed}.{encoded(one)};{tail}",)), NOW, 60.0) for one in (raw, other)
    ]
    assert [replays.is_new(one.passports[0].signed, name, NOW) for one, name in zip(keys, "ab", strict=True)] == [
        True,
        False,
    ]


def test_remembered_tokens_are_bounded() -> None:
    replays = Replays(3, 10.0)
    assert all(replays.is_new(bytes([number]), "call", NOW) for number in range(10))
    assert len(replays) == 3
    assert replays.is_new(b"later", "call", NOW + 11)
    assert len(replays) == 1


# -------------------------------------------------------------------- the signer


def of_signer(issued: Issued, root: Authority = ROOT, **anchors: object) -> tuple[Fault, str]:
    with pytest.raises(IdentityFault) as caught:
        root.anchors(**anchors).read(issued.pem, NOW)
    return caught.value.fault, str(caught.value)


def test_a_certificate_that_did_not_come_is_told_from_one_that_cannot_be_had() -> None:
    assert fault_of(verify(identity(), certificates={}))[0] is Fault.UNFINISHED
    unfetched = IdentityFault(Fault.UNFETCHED, "no")
    assert fault_of(verify(identity(), certificates={URL: unfetched}))[0] is Fault.UNFETCHED


def test_another_keys_signature_is_invalid() -> None:
    assert fault_of(verify(identity(issued=ROOT.issue()))) == (
        Fault.INVALID,
        "the signature is not that of the certificate's key",
    )
    changed = identity().replace(encoded(canonical_json(claims())), encoded(canonical_json(claims(attest="B"))))
    assert fault_of(verify(changed))[0] is Fault.INVALID


@pytest.mark.parametrize("raw", [bytes(64), b"\xff" * 64])
def test_numbers_that_are_no_signature_are_invalid(raw: bytes) -> None:
    token, _, tail = identity().partition(";")
    value = f"{token.rpartition('.')[0]}.{encoded(raw)};{tail}"
    assert fault_of(verify(value))[0] is Fault.INVALID


def test_whose_root_is_not_ours_is_not_believed() -> None:
    assert of_signer(Authority().issue())[0] is Fault.UNTRUSTED
    assert of_signer(Authority("another root").issue())[0] is Fault.UNTRUSTED


def test_a_chain_may_have_authorities_between_and_they_have_to_come_along() -> None:
    below = ROOT.intermediate()
    issued = below.issue()
    assert credential(issued).subject == "CN=SHAKEN 709J"
    issued.above = ()
    assert of_signer(issued)[0] is Fault.UNTRUSTED


def test_a_signer_is_no_authority() -> None:
    """Whoever has a certificate of a provider cannot make more."""
    rogue = Authority("rogue", new_key())
    rogue.certificate = ROOT.issue("rogue", key=rogue.key).certificate
    rogue.above = (rogue.certificate,)
    assert of_signer(rogue.issue())[0] is Fault.UNTRUSTED


@pytest.mark.parametrize(
    ("issued", "why"),
    [
        (ROOT.issue(days=(-30, -1)), "chain does not hold"),
        (ROOT.issue(days=(1, 30)), "chain does not hold"),
        (ROOT.issue(tn=None), "no TNAuthList"),
        (ROOT.issue(tn=b"\x30\x03\x02\x01"), "cannot be read"),
        (ROOT.issue(key=rsa.generate_private_key(65537, 2048)), "curve P-256"),
        (ROOT.issue(key=new_key(ec.SECP384R1())), "curve P-256"),
        (ROOT.issue(ca=True), "that of an authority"),
        (ROOT.issue(may_sign=False), "may not sign"),
    ],
    ids=["expired", "not yet", "no list", "torn list", "RSA", "P-384", "authority", "no signing"],
)
def test_certificates_that_may_sign_no_call(issued: Issued, why: str) -> None:
    fault, text = of_signer(issued)
    assert fault is Fault.UNTRUSTED
    assert why in text


def test_a_certificate_that_expires_while_it_is_kept_is_not_believed() -> None:
    late = NOW + 40 * 86_400
    value = identity(claims(iat=int(late)))
    assert fault_of(verify(value, said=replace(SAID, date=None), wall=late)) == (
        Fault.UNTRUSTED,
        "the certificate is not valid now",
    )


def test_required_policies() -> None:
    good = ROOT.issue(policy=POLICY)
    assert ROOT.anchors(policies=[POLICY]).read(good.pem, NOW).subject
    assert "policies" in of_signer(ROOT.issue(), policies=[POLICY])[1]
    assert "policies" in of_signer(ROOT.issue(policy="2.16.840.1.1.1"), policies=[POLICY])[1]


def test_without_anchors_nobody_is_believed() -> None:
    with pytest.raises(IdentityFault, match="no trust anchors"):
        type(ROOT.anchors())([]).read(SIGNER.pem, NOW)


@pytest.mark.parametrize("indirect", [False, True])
def test_revoked_certificates(indirect: bool) -> None:
    """An indirect list is signed by somebody else than the issuer, and names it for each entry."""
    by = Authority("list keeper") if indirect else ROOT
    other = ROOT.issue()
    revoked = read_revoked(by.revoking(SIGNER.certificate, indirect=indirect), "crl.pem")
    assert "revoked" in of_signer(SIGNER, revoked=revoked)[1]
    assert ROOT.anchors(revoked=revoked).read(other.pem, NOW).subject


def test_what_is_no_certificate() -> None:
    for pem in (b"", b"x" * 1000, SIGNER.pem[:200], SIGNER.pem * 7, ROOT.pem.replace(b"M", b"N")):
        with pytest.raises(IdentityFault) as caught:
            ROOT.anchors().read(pem, NOW)
        assert caught.value.fault is Fault.UNTRUSTED


def test_a_certificate_for_numbers_signs_for_those_alone() -> None:
    for tn, fits in (
        (tn_list(numbers=(CALLER,)), True),
        (tn_list(numbers=("12025550199",)), False),
        (tn_list(first="12025550100", count=2), True),
        (tn_list(first="12025550100", count=5000), True),
        (tn_list(first="12025550102", count=10), False),
        (tn_list(first="2025550100", count=10), False),
    ):
        issued = ROOT.issue(tn=tn)
        found = verify(identity(issued=issued), certificates={URL: credential(issued)})
        assert isinstance(found, Proof) is fits
        assert fits or fault_of(found)[0] is Fault.UNTRUSTED


def test_a_delegate_has_no_more_than_whoever_delegates() -> None:
    """RFC 9060 §5: the authority above has one number, and its delegate claims two."""
    below = ROOT.intermediate(tn=tn_list(numbers=("12025550199",)))
    issued = below.issue(tn=tn_list(numbers=(CALLER, "12025550199")))
    found = verify(identity(issued=issued), certificates={URL: credential(issued)})
    assert fault_of(found)[0] is Fault.UNTRUSTED


# -------------------------------------------------------------------- calls that were sent on (RFC 8946)


def diverted(frm: str, to: str, issued: Issued = SIGNER) -> str:
    payload = claims(attest=None, origid=None, dest={"tn": [to]}, div={"tn": frm})
    return identity(payload, head(ppt="div"), issued)


def test_a_call_that_was_sent_on_is_followed_from_number_to_number() -> None:
    first, second = "12155550120", "12155550121"
    original = identity(claims(dest={"tn": [first]}))
    steps = (diverted(second, CALLED), diverted(first, second))
    found = proof(verify(*steps, original))
    assert (found.attestation, found.diverted) == ("A", (first, second))
    assert fault_of(verify(original, steps[0]))[0] is Fault.INVALID
    assert fault_of(verify(original))[0] is Fault.INVALID
    assert fault_of(verify(*steps))[0] is Fault.INVALID


def test_only_who_has_the_number_may_send_on() -> None:
    first = "12155550120"
    elsewhere = ROOT.issue(tn=tn_list(numbers=("12155550199",)))
    url = "https://certificates.test/other.pem"
    payload = claims(attest=None, origid=None, div={"tn": first})
    step = identity(payload, head(ppt="div", x5u=url), elsewhere)
    original = identity(claims(dest={"tn": [first]}))
    known = {URL: SIGNED, url: credential(elsewhere)}
    assert fault_of(verify(original, step, certificates=known))[0] is Fault.UNTRUSTED


def test_circles_end() -> None:
    one, two = "12155550120", "12155550121"
    steps = (diverted(one, two), diverted(two, one))
    assert fault_of(verify(identity(claims(dest={"tn": [one]})), *steps))[0] is Fault.INVALID


def test_no_more_than_eight_are_looked_at() -> None:
    others = [identity(claims(orig={"tn": "12"}))] * 8
    assert fault_of(verify(*others, identity()))[0] is Fault.INVALID
