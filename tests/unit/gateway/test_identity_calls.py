"""Signed callers at a gateway: what each policy lets in, with which answer it refuses, and what is told of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp, until
from tests.unit.stir.authority import CALLED, CALLER, NOW, ORIGIN, ROOT, SIGNER, claims, compact, head, identity
from voicegw.base.causes import HangupCause
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEnded, LegInvited, LegRefused
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.desk import IdentityDesk
from voicegw.gateway.identity.fetching import Fetched
from voicegw.gateway.identity.places import Place
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sip.message import Response
from voicegw.stir.faults import Fault, IdentityFault


class Noon:
    """A clock whose time of day is that of the signatures, with a monotonic that runs."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return NOW


class Web:
    """Has the signer's certificate, once the test lets it answer."""

    def __init__(self) -> None:
        self.pem: bytes | None = SIGNER.pem
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, place: Place, wall: float) -> Fetched:
        await self.may_answer.wait()
        if self.pem is None:
            raise IdentityFault(Fault.UNFETCHED, "the certificate's server said 404")
        return Fetched(self.pem, 3600.0)


class House:
    """A gateway whose only trunk is the peer, with this policy."""

    def __init__(self, roots: Path, policy: object, deadline_ms: int = 9000, **trunk: object) -> None:
        self.web, self.calls = Web(), 0
        signed = IdentityConfig((str(roots),), deadline_ms=deadline_ms)
        config = SipConfig(listen_ip="127.0.0.1", listen_port=0, t1_ms=4000, identity=signed)
        self.node, self.peer = Node(config=config, clock=Noon(), fetch=self.web), RawSocket()
        given = {"hosts": ["127.0.0.1"], "port": self.peer.port, "health": {"options_s": 0}, "identity": policy}
        settings = TrunkSettings.model_validate(given | trunk)
        self.node.gateway.trunks.put_in_force([Trunk("carrier", settings, "")])

    def call_id(self) -> str:
        return f"call-{self.calls}"

    async def call(self, *headers: str, caller: str = f"+{CALLER}") -> None:
        self.calls += 1
        parts = {
            "start": f"INVITE sip:+{CALLED}@127.0.0.1 SIP/2.0",
            "from_": f"From: <sip:{caller}@127.0.0.1>;tag=t",
            "to": f"To: <sip:+{CALLED}@127.0.0.1>",
            "call_id": f"Call-ID: {self.call_id()}",
        }
        await self.peer.send(self.peer.request("INVITE", *headers, body=sdp(40_000), **parts), self.node.address)

    async def taken(self) -> LegInvited:
        """The call has come as far as the runtime, which refuses it."""
        invited = await self.node.expect(LegInvited)
        self.node.gateway.reject(invited.leg_id, HangupCause.ROUTE_REJECTED)
        await self.node.expect(LegEnded)
        await self.answer(403)
        return invited

    async def answer(self, status: int) -> Response:
        """What the latest call was refused with; answers to those before it may come again."""
        while True:
            message = await self.peer.receive()
            assert isinstance(message, Response)
            if message.headers.get("Call-ID") == self.call_id() and message.status >= 200:
                assert message.status == status, message
                return message

    def close(self) -> None:
        self.node.gateway.close()
        self.peer.close()


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    path.write_bytes(ROOT.pem)
    return path


SIGNED = f"Identity: {identity()}"
TORN = SIGNED.replace(";info", "A;info")
DATE = f"Date: {format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True)}"


@pytest.mark.parametrize("policy", ["inform", "require"])
@pytest.mark.parametrize("name", ["Identity", "y"])
def test_a_good_signature_is_told(roots: Path, policy: str, name: str) -> None:
    async def scenario() -> None:
        house = House(roots, policy)
        await house.call(f"{name}: {identity()}", DATE)
        parties = (await house.taken()).parties
        assert (parties.verified, parties.attestation, parties.origination_id) == ("passed", "A", ORIGIN)
        assert (parties.signer, parties.identity_fault) == ("CN=SHAKEN 709J", "")
        assert house.node.counters.get("identity_checked_passed") == 1
        house.close()

    run(scenario())


def test_where_nobody_asks_nothing_is_verified(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, "off")
        house.web.pem = None
        await house.call(SIGNED)
        invited = await house.taken()
        assert (invited.parties.verified, invited.parties.attestation) == ("", "A")
        house.close()

    run(scenario())


REFUSED = [
    ((), 428, "Use Identity Header", HangupCause.IDENTITY_MISSING),
    ((f"Identity: {identity(claims(iat=int(NOW) - 500))}",), 403, "Stale Date", HangupCause.IDENTITY_STALE),
    (
        (f"Identity: {identity(claims(), head(x5u='http://c.test/a.pem'))}",),
        436,
        "Bad Identity Info",
        HangupCause.IDENTITY_UNFETCHED,
    ),
    (
        (f"Identity: {identity(claims(), head(alg='none'))}",),
        437,
        "Unsupported Credential",
        HangupCause.IDENTITY_UNTRUSTED,
    ),
    ((TORN,), 438, "Invalid Identity Header", HangupCause.IDENTITY_INVALID),
    (
        (f"Identity: {identity(claims(orig={'tn': '12025550199'}))}",),
        438,
        "Invalid Identity Header",
        HangupCause.IDENTITY_INVALID,
    ),
    ((f"Identity: {identity(issued=ROOT.issue())}",), 438, "Invalid Identity Header", HangupCause.IDENTITY_INVALID),
]


@pytest.mark.parametrize(("headers", "status", "phrase", "cause"), REFUSED)
def test_refusals_say_why(
    roots: Path, headers: tuple[str, ...], status: int, phrase: str, cause: HangupCause
) -> None:
    async def scenario() -> None:
        house = House(roots, "require")
        await house.call(*headers)
        response = await house.answer(status)
        assert response.reason == phrase
        said = response.headers.get_all("Reason")
        assert said == (cause.reason_header, f'STIR;cause={status};text="{phrase}"')
        refused = await house.node.expect(LegRefused)
        assert (refused.cause, refused.invited.trunk) == (cause, "carrier")
        assert refused.invited.parties.identity_fault
        assert refused.invited.parties.verified == ("failed" if headers else "none")
        assert house.node.gateway.active_legs == 0
        house.close()

    run(scenario())


@pytest.mark.parametrize("headers", [row[0] for row in REFUSED])
def test_whoever_only_wants_to_know_refuses_nobody(roots: Path, headers: tuple[str, ...]) -> None:
    async def scenario() -> None:
        house = House(roots, "inform")
        await house.call(*headers)
        parties = (await house.taken()).parties
        assert parties.verified == ("failed" if headers else "none")
        assert parties.identity_fault
        house.close()

    run(scenario())


def test_what_attests_too_little_is_refused(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, {"policy": "require", "attestation": "B"})
        for value in (identity(claims(attest="C")), compact()):
            await house.call(f"Identity: {value}", DATE)
            assert (await house.answer(403)).reason == "Forbidden"
            refused = await house.node.expect(LegRefused)
            assert (refused.cause, refused.invited.parties.verified) == (HangupCause.IDENTITY_WEAK, "passed")
        for attestation in "BA":
            await house.call(f"Identity: {identity(claims(attest=attestation))}")
            assert (await house.taken()).parties.attestation == attestation
        house.close()

    run(scenario())


def test_calls_without_a_signature_may_be_let_in(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, {"policy": "require", "unsigned": "accept"})
        await house.call()
        assert (await house.taken()).parties.verified == "none"
        await house.call(TORN)
        await house.answer(438)
        house.close()

    run(scenario())


@pytest.mark.parametrize("unfinished", ["accept", "refuse"])
def test_a_certificate_that_is_late_is_not_waited_for(roots: Path, unfinished: str) -> None:
    async def scenario() -> None:
        house = House(roots, {"policy": "require", "unfinished": unfinished}, deadline_ms=20)
        house.web.may_answer.clear()
        await house.call(SIGNED)
        if unfinished == "accept":
            assert (await house.taken()).parties.verified == "none"
        else:
            assert (await house.answer(436)).reason == "Bad Identity Info"
            assert (await house.node.expect(LegRefused)).cause is HangupCause.IDENTITY_UNFETCHED
        house.web.may_answer.set()
        await until(lambda: house.node.counters.get("identity_certificates_fetched") == 1)
        await house.call(f"Identity: {identity(claims(attest='B'))}")
        assert (await house.taken()).parties.attestation == "B"
        house.close()

    run(scenario())


def test_who_gives_up_meanwhile_was_nobodys_call(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, "require")
        house.web.may_answer.clear()
        await house.call(SIGNED)
        await house.peer.response(100)
        cancel = house.peer.request(
            "CANCEL",
            call_id=f"Call-ID: {house.call_id()}",
            start=f"CANCEL sip:+{CALLED}@127.0.0.1 SIP/2.0",
            via=f"Via: SIP/2.0/UDP 127.0.0.1:{house.peer.port};rport;branch=z9hG4bK1",
            cseq="CSeq: 1 CANCEL",
        )
        await house.peer.send(cancel, house.node.address)
        await house.peer.response(200)
        await until(lambda: house.node.gateway.active_legs == 0)
        house.web.may_answer.set()
        await until(lambda: house.node.counters.get("identity_checked_passed") == 1)
        assert house.node.events.empty()
        house.close()

    run(scenario())


def test_a_signature_is_good_for_one_call(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, "require")
        await house.call(SIGNED)
        await house.taken()
        await house.call(SIGNED)
        await house.answer(438)
        refused = await house.node.expect(LegRefused)
        assert refused.invited.parties.identity_fault == "invalid: another call has used this signature"
        house.close()

    run(scenario())


NATIONAL = {"numbering": {"country_code": "1", "national_prefix": "", "send": "digits"}}


@pytest.mark.parametrize(
    ("caller", "more", "trunk"),
    [
        ("anonymous", (f"P-Asserted-Identity: <tel:+{CALLER}>", "Privacy: id"), {}),
        ("+15550000", (f"P-Asserted-Identity: <tel:+{CALLER}>",), {"caller_id": {"trusted": True}}),
        (CALLER, (), NATIONAL),
    ],
)
def test_the_signed_number_is_compared_with_whoever_the_call_shows(
    roots: Path, caller: str, more: tuple[str, ...], trunk: dict[str, Any]
) -> None:
    async def scenario() -> None:
        house = House(roots, "require", **trunk)
        await house.call(SIGNED, *more, caller=caller)
        assert (await house.taken()).parties.verified == "passed"
        house.close()

    run(scenario())


def test_a_shown_number_is_not_proven_by_an_asserted_one_that_is_not_shown(roots: Path) -> None:
    """On a trunk that is not trusted From is what agent and dialplan see: that is the number to be signed."""

    async def scenario() -> None:
        house = House(roots, "require")
        await house.call(SIGNED, f"P-Asserted-Identity: <tel:+{CALLER}>", caller="+15550000")
        await house.answer(438)
        house.close()

    run(scenario())


def test_a_name_is_not_proven_by_a_number(roots: Path) -> None:
    """Who may sign for their own number may not be shown as somebody's bank by it."""

    async def scenario() -> None:
        house = House(roots, "inform")
        await house.call(SIGNED, f"P-Asserted-Identity: <tel:+{CALLER}>", caller="your-bank")
        parties = (await house.taken()).parties
        assert (parties.calling, parties.verified) == ("your-bank", "failed")
        house.close()

    run(scenario())


PASSED = f"P-Asserted-Identity: <tel:+{CALLER};verstat=TN-Validation-Passed>"


@pytest.mark.parametrize(
    ("headers", "attestation", "origin"),
    [
        ((PASSED, "Attestation-Info: B", f"Origination-Id: {ORIGIN}"), "B", ORIGIN),
        ((PASSED, "P-Attestation-Indicator: A", f"P-Origination-ID: {ORIGIN}"), "A", ORIGIN),
        ((PASSED.replace("Passed", "Passed-C"),), "C", ""),
        ((PASSED,), "", ""),
    ],
)
def test_a_trusted_networks_word_counts_where_there_is_nothing_to_verify(
    roots: Path, headers: tuple[str, ...], attestation: str, origin: str
) -> None:
    async def scenario() -> None:
        house = House(roots, "require", caller_id={"trusted": True})
        await house.call(*headers)
        parties = (await house.taken()).parties
        assert (parties.verified, parties.attestation, parties.origination_id) == ("passed", attestation, origin)
        house.close()
        stranger = House(roots, "require")
        await stranger.call(*headers)
        await stranger.answer(428)
        stranger.close()

    run(scenario())


def test_what_we_find_false_is_false_whatever_the_network_says(roots: Path) -> None:
    async def scenario() -> None:
        house = House(roots, "inform", caller_id={"trusted": True})
        await house.call(PASSED, "Attestation-Info: A", f"Identity: {identity(issued=ROOT.issue())}")
        assert (await house.taken()).parties.verified == "failed"
        house.close()

    run(scenario())


def spoil(file: Path) -> None:
    file.write_text("no certificate")


def test_files_that_cannot_be_used_leave_everything_as_it_was(
    roots: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        house = House(roots, "require")
        desk = house.node.gateway._identities
        assert isinstance(desk, IdentityDesk)
        desk.use(IdentityConfig((str(roots.with_name("missing.pem")),)))
        spoil(roots.with_name("torn.pem"))
        desk.use(IdentityConfig((str(roots.with_name("torn.pem")),)))
        spoil(roots)
        house.node.gateway.reload_certificates()
        assert caplog.text.count("the old settings stay") == 3
        await house.call(SIGNED)
        assert (await house.taken()).parties.verified == "passed"
        house.close()

    run(scenario())
