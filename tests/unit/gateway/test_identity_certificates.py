"""Certificates that are kept, on their way, late, or not to be had; time is the test's own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.unit.stir.authority import NOW, ROOT, SIGNER, Authority
from voicegw.base.metrics import Counters
from voicegw.gateway.identity.certificates import Certificates
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.fetching import Fetched
from voicegw.gateway.identity.places import Place
from voicegw.stir.credentials import Credential
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by, settle

URL = "https://certificates.test/signer.pem"
CONFIG = IdentityConfig(retry_s=60)


class Web:
    """Answers when the test lets it, with what the test gave it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/signer.pem": SIGNER.pem}
        self.asked: list[str] = []
        self.keep_s = 3600.0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, place: Place, wall: float) -> Fetched:
        self.asked.append(place.path)
        await self.may_answer.wait()
        if place.path not in self.files:
            raise IdentityFault(Fault.UNFETCHED, "404")
        return Fetched(self.files[place.path], self.keep_s)


class House:
    def __init__(self, clock: ManualClock, config: IdentityConfig = CONFIG) -> None:
        self.clock, self.web, self.counters = clock, Web(), Counters()
        self.certificates = Certificates(config, ROOT.anchors(), self.web, clock, self.counters)

    async def one(self, url: str = URL, deadline_s: float = 1.0) -> Credential | IdentityFault | None:
        return (await self.certificates.obtain({url}, deadline_s)).get(url)

    async def fault(self, url: str = URL) -> Fault:
        found = await self.one(url)
        assert isinstance(found, IdentityFault)
        return found.fault


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=NOW)


def test_a_certificate_is_fetched_once_and_kept_as_long_as_its_server_says(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        assert isinstance(await house.one(), Credential)
        await let_pass(clock, 10)
        assert isinstance(await house.one(), Credential)
        assert house.web.asked == ["/signer.pem"]
        clock.advance(3600)
        assert isinstance(await house.one(), Credential)
        assert len(house.web.asked) == 2
        assert house.counters.get("identity_certificates_fetched") == 2

    run_by(clock, body())


def test_calls_that_need_the_same_certificate_wait_for_one_fetch(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        house.web.may_answer.clear()
        waiting = [asyncio.ensure_future(house.one()) for _ in range(5)]
        await settle()
        house.web.may_answer.set()
        assert all(isinstance(one, Credential) for one in await asyncio.gather(*waiting))
        assert house.web.asked == ["/signer.pem"]

    run_by(clock, body())


def test_what_comes_too_late_is_there_for_the_next_call(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        house.web.may_answer.clear()
        late = asyncio.ensure_future(house.one(deadline_s=0.5))
        await let_pass(clock, 0.4)
        assert not late.done()
        await let_pass(clock, 0.2)
        assert await late is None
        house.web.may_answer.set()
        await settle()
        assert isinstance(house.certificates.known({URL})[URL], Credential)
        assert len(house.web.asked) == 1

    run_by(clock, body())


def test_what_cannot_be_had_is_not_asked_for_again_at_once(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        missing = "https://certificates.test/none.pem"
        assert await house.fault(missing) is await house.fault(missing) is Fault.UNFETCHED
        assert house.web.asked == ["/none.pem"]
        clock.advance(60)
        house.web.files["/none.pem"] = SIGNER.pem
        assert isinstance(await house.one(missing), Credential)

    run_by(clock, body())


def test_what_is_not_to_be_believed_is_remembered_too(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        house.web.files["/signer.pem"] = Authority().issue().pem
        assert await house.fault() is await house.fault() is Fault.UNTRUSTED
        assert len(house.web.asked) == 1
        assert house.counters.get("identity_certificates_untrusted") == 1

    run_by(clock, body())


def test_urls_that_lead_elsewhere_are_not_asked(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        for url in ("http://certificates.test/signer.pem", "https://[::1", "https://10.0.0.1/x", ""):
            assert await house.fault(url) is Fault.UNFETCHED
        assert house.web.asked == []

    run_by(clock, body())


def test_a_certificate_is_kept_no_longer_than_it_is_valid(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        house.web.files["/signer.pem"] = ROOT.issue(days=(-1, 1 / 24)).pem
        house.web.keep_s = 86_400
        await house.one()
        clock.advance(3601)
        assert house.certificates.known({URL}) == {}

    run_by(clock, body())


def test_one_host_that_never_answers_takes_two_places_at_most(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock, replace(CONFIG, fetches=3))
        house.web.may_answer.clear()
        slow = [asyncio.ensure_future(house.one(f"https://slow.test/{number}", 0.1)) for number in range(5)]
        other = asyncio.ensure_future(house.one(deadline_s=10))
        await let_pass(clock, 0.2)
        assert [await one for one in slow] == [None] * 5
        assert sorted(house.web.asked) == ["/0", "/1", "/signer.pem"]
        assert await house.one("https://third.test/x", 0.1) is None
        assert house.counters.get("identity_fetches_put_off") == 4
        house.web.may_answer.set()
        assert isinstance(await other, Credential)
        assert isinstance(await house.one(), Credential)

    run_by(clock, body())


def test_inventing_urls_pushes_out_no_certificate_that_is_used(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock, replace(CONFIG, certificates=3))
        await house.one()
        for number in range(10):
            await house.one(f"https://invented.test/{number}")
        assert isinstance(house.certificates.known({URL})[URL], Credential)
        assert house.counters.get("identity_certificates_failed") == 10
        for number in range(3):
            house.web.files[f"/good{number}"] = ROOT.issue().pem
            await house.one(f"https://certificates.test/good{number}")
        assert house.certificates.known({URL}) == {}

    run_by(clock, body())


def test_closing_ends_what_is_under_way(clock: ManualClock) -> None:
    async def body() -> None:
        house = House(clock)
        house.web.may_answer.clear()
        waiting = asyncio.ensure_future(house.one())
        await settle()
        house.certificates.close()
        await settle()
        assert await waiting is None

    run_by(clock, body())
