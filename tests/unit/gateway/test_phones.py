"""Phones register at the gateway, are called by name, and call as who they are; over real sockets on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited, LegRefused, LegRinging
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.phone_config import PhoneAccount, PhoneEntry, PhonesConfig
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sip.address import Address, Transport
from voicegw.sip.bindings import Binding
from voicegw.sip.digest import Algorithm, Credentials, make_ha1
from voicegw.sip.events import RequestAnswered
from voicegw.sip.message import Request, Response

DOMAIN = "voice.test"
OUT = LegId("out")
IP = "127.0.0.1"


def entry(name: str) -> PhoneEntry:
    return PhoneEntry(name, sha256=make_ha1(Algorithm.SHA_256, name, DOMAIN, f"{name}'s secret"))


def house(**settings: float) -> Node:
    """The server, which knows Anna and Bert."""
    phones = PhonesConfig(DOMAIN, accounts=(entry("anna"), entry("bert")), **settings)  # type: ignore[arg-type]
    return Node(phones=phones)


def phone(password: str = "") -> Node:
    """A phone; the account names its user."""
    return Node(credentials=lambda account, _realm, _to: Credentials(account, password or f"{account}'s secret"))


async def register(
    device: Node, server: Node, user: str, contact: str = "", to: str = "", transport: Transport = Transport.UDP
) -> Response:
    uri = contact or f"<sip:{user}@{device.address}>"
    event = await device.gateway.requests.send(
        "REGISTER",
        f"sip:{DOMAIN}",
        server.address._replace(transport=transport),
        from_=f"<sip:{to or user}@{DOMAIN}>",
        to=f"<sip:{to or user}@{DOMAIN}>",
        headers=(("Contact", uri), ("Expires", "300")),
        account=user,
    )
    assert isinstance(event, RequestAnswered)
    return event.response


def call(server: Node, user: str) -> None:
    server.gateway.dial(OUT, f"sip:{user}@{DOMAIN}", IP, 30_000, "sip:+4930@127.0.0.1")


def close(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.gateway.close()


def test_a_registered_phone_is_called_by_name_and_seen_to_be_on_a_call() -> None:
    async def scenario() -> None:
        server, anna = house(), phone()
        seen: list[PhoneState] = []
        server.gateway.phones.listeners.append(seen.append)
        response = await register(anna, server, "anna")
        assert response.status == 200 and ";expires=300" in (response.headers.get("Contact") or "")
        assert (await server.gateway.media_route(f"sip:anna@{DOMAIN}")) == (IP, IP)
        call(server, "anna")
        invited = await anna.expect(LegInvited)
        assert (invited.called, invited.calling) == ("anna", "+4930")
        anna.gateway.ring(invited.leg_id)
        anna.gateway.accept(invited.leg_id, IP, 40_000)
        assert (await server.expect(LegRinging)).leg_id == OUT
        answered = await server.expect(LegAnswered)
        assert answered.leg_id == OUT and answered.session.remote_port == 40_000
        await anna.expect(LegConfirmed)
        server.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        assert (await server.expect(LegEnded)).leg_id == OUT
        await anna.expect(LegEnded)
        assert [(state.registered, state.calls) for state in seen] == [(True, 0), (True, 1), (True, 0)]
        assert seen[0].devices == ("voicegw",)
        assert (await register(anna, server, "anna", contact=f"<sip:anna@{anna.address}>;expires=0")).status == 200
        assert not seen[-1].registered
        call(server, "anna")
        ended = await server.expect(LegEnded)
        assert (ended.leg_id, ended.cause, ended.sip_status) == (OUT, HangupCause.UNREACHABLE, 480)
        close((server, anna))

    run(scenario())


def test_all_devices_ring_and_the_first_to_answer_has_the_call() -> None:
    async def scenario() -> None:
        server, desk, soft = house(), phone(), phone()
        await register(desk, server, "anna")
        await register(soft, server, "anna")
        call(server, "anna")
        at_desk, at_soft = await desk.expect(LegInvited), await soft.expect(LegInvited)
        desk.gateway.ring(at_desk.leg_id)
        soft.gateway.accept(at_soft.leg_id, IP, 41_000)
        answered = await server.expect(LegAnswered)
        assert answered.leg_id == OUT and answered.session.remote_port == 41_000
        assert (await desk.expect(LegEnded)).cause is HangupCause.CALLER_CANCELLED
        await soft.expect(LegConfirmed)
        assert server.gateway.active_legs == 1
        soft.gateway.hangup(at_soft.leg_id, HangupCause.AGENT_HANGUP)
        assert (await server.expect(LegEnded)).leg_id == OUT
        close((server, desk, soft))

    run(scenario())


def test_devices_of_less_preference_ring_when_the_others_refused_or_nobody_came() -> None:
    async def scenario() -> None:
        server, first, second, third = house(ring_s=0.2), phone(), phone(), phone()
        for device, q in ((first, "1.0"), (second, "0.5"), (third, "0.1")):
            await register(device, server, "anna", contact=f"<sip:anna@{device.address}>;q={q}")
        call(server, "anna")
        refused = await first.expect(LegInvited)
        assert second.events.empty()
        first.gateway.reject(refused.leg_id, HangupCause.BUSY)
        waits = await second.expect(LegInvited)
        last = await third.expect(LegInvited)
        third.gateway.reject(last.leg_id, HangupCause.NOT_ACCEPTABLE)
        second.gateway.reject(waits.leg_id, HangupCause.PEER_REJECTED)
        ended = await server.expect(LegEnded)
        assert ended.leg_id == OUT and ended.sip_status == 486, "busy tells more than the others"
        assert server.gateway.active_legs == 0
        close((server, first, second, third))

    run(scenario())


def test_whoever_dialled_gives_up_and_all_devices_fall_silent() -> None:
    async def scenario() -> None:
        server, desk, soft = house(), phone(), phone()
        await register(desk, server, "anna")
        await register(soft, server, "anna", contact=f"<sip:anna@{soft.address}>;q=0.1")
        call(server, "anna")
        ringing = await desk.expect(LegInvited)
        desk.gateway.ring(ringing.leg_id)
        await server.expect(LegRinging)
        server.gateway.hangup(OUT, HangupCause.TRANSFER_OFF)
        ended = await server.expect(LegEnded)
        assert (ended.leg_id, ended.cause) == (OUT, HangupCause.TRANSFER_OFF)
        await desk.expect(LegEnded)
        assert soft.events.empty() and server.gateway.active_legs == 0
        close((server, desk, soft))

    run(scenario())


def test_nobody_registers_or_calls_as_somebody_else() -> None:
    async def scenario() -> None:
        server, anna, thief = house(), phone(), phone("guessed")
        assert (await register(thief, server, "anna")).status == 401
        assert (await register(thief, server, "nobody")).status == 401
        assert (await register(anna, server, "anna", to="bert")).status == 403
        with pytest.raises(LocalError, match="no device"):
            await server.gateway.media_route(f"sip:anna@{DOMAIN}")
        for caller, account in ((thief, "anna"), (anna, "bert"), (anna, "")):
            caller.gateway.dial(OUT, f"sip:100@{server.address}", IP, 30_000, f"sip:anna@{DOMAIN}", account=account)
            assert (await caller.expect(LegEnded)).sip_status == (403 if account == "bert" else 401)
            if account:  # who shows nothing was only asked
                assert (await server.expect(LegRefused)).cause is HangupCause.CALLER_UNPROVEN
        assert server.events.empty()
        anna.gateway.dial(OUT, f"sip:100@{server.address}", IP, 30_000, f"sip:anna@{DOMAIN}", account="anna")
        invited = await server.expect(LegInvited)
        assert invited.phone == "anna" and "Authorization" not in invited.headers
        assert server.gateway.phones.state("anna", 0.0).calls == 1
        server.gateway.reject(invited.leg_id, HangupCause.BUSY)
        await server.expect(LegEnded)
        assert server.gateway.phones.state("anna", 0.0).calls == 0
        close((server, anna, thief))

    run(scenario())


@pytest.mark.parametrize(("contact", "left"), [("<sip:anna@10.0.0.7:5060;transport=tcp>", 0), ("", 1)])
def test_a_phone_whose_connection_ends_is_gone_unless_it_can_be_called_back(contact: str, left: int) -> None:
    async def scenario() -> None:
        server, anna = house(), phone()
        kept: asyncio.Queue[tuple[Binding, ...]] = asyncio.Queue()
        server.gateway.registrar.keep = lambda _name, bindings: kept.put_nowait(bindings)
        uri = contact or f"<sip:anna@{anna.address};transport=tcp>"
        assert (await register(anna, server, "anna", contact=uri, transport=Transport.TCP)).status == 200
        (bound,) = await kept.get()
        assert bound.source.transport is Transport.TCP and bound.source.flow
        anna.gateway.close()
        after = await kept.get()
        assert [one.source for one in after] == [Address(*anna.address.place, Transport.TCP)] * left
        server.gateway.close()

    run(scenario())


def pbx(**settings: object) -> Trunk:
    """A trunk whose calls come from loopback."""
    given = {"username": "pbx", "allowed_addresses": [IP], "health": {"options_s": 0}, **settings}
    return Trunk("pbx", TrunkSettings.model_validate(given), "pbx's secret")


def test_a_trunk_may_use_our_domain() -> None:
    async def scenario() -> None:
        server, exchange = house(), phone()
        server.gateway.trunks.put_in_force([pbx()])
        exchange.gateway.dial(OUT, f"sip:100@{server.address}", IP, 30_000, f"sip:200@{DOMAIN}")
        assert (await server.expect(LegInvited)).phone == ""
        close((server, exchange))

    run(scenario())


def test_a_trunk_can_be_asked_for_its_password() -> None:
    async def scenario() -> None:
        server, exchange, thief = house(), phone(), phone("guessed")
        server.gateway.trunks.put_in_force([pbx(challenge_calls=True)])
        for caller, account in ((thief, "pbx"), (exchange, "anna"), (exchange, "")):
            caller.gateway.dial(OUT, f"sip:100@{server.address}", IP, 30_000, "sip:200@pbx.test", account=account)
            assert (await caller.expect(LegEnded)).sip_status == 401
            if account:  # who shows nothing was only asked
                assert (await server.expect(LegRefused)).invited.trunk == "pbx"
        exchange.gateway.dial(OUT, f"sip:100@{server.address}", IP, 30_000, "sip:200@pbx.test", account="pbx")
        invited = await server.expect(LegInvited)
        assert (invited.calling, invited.phone) == ("200", "") and "Authorization" not in invited.headers
        close((server, exchange, thief))

    run(scenario())


def test_a_trunk_without_an_account_cannot_be_asked_for_one() -> None:
    with pytest.raises(ValueError, match="there is no account"):
        TrunkSettings.model_validate({"challenge_calls": True})


def test_a_phone_behind_nat_is_pinged_and_forgotten_when_it_is_gone() -> None:
    async def scenario() -> None:
        server, anna, raw = house(ping_s=0.05, pings_missed=2), phone(), RawSocket()
        kept: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        server.gateway.registrar.keep = lambda name, bindings: kept.put_nowait((name, len(bindings)))
        await register(anna, server, "anna", contact="<sip:anna@10.0.0.7:5060>")
        lost = Binding("sip:bert@10.0.0.8", Address(IP, raw.port), time.monotonic() + 60, "c", 1)
        server.gateway.registrar.restore("bert", (lost,))
        server.gateway.registrar.restore("stranger", (lost,))
        ping = await raw.receive()
        assert isinstance(ping, Request) and (ping.method, ping.uri) == ("OPTIONS", "sip:bert@10.0.0.8")
        assert [await kept.get(), await kept.get()] == [("anna", 1), ("bert", 0)]
        assert server.gateway.phones.state("anna", 0.0).registered, "this one answers"
        close((server, anna))
        raw.close()

    run(scenario())


def test_an_account_that_ends_or_changes_takes_its_devices_with_it() -> None:
    async def scenario() -> None:
        server, carl = house(), phone()
        ha1 = make_ha1(Algorithm.SHA_256, "carl", DOMAIN, "carl's secret")
        account = PhoneAccount("carl", {Algorithm.SHA_256: ha1})
        book = server.gateway.phones
        assert book.set_accounts((account,)) == []
        assert (await register(carl, server, "carl")).status == 200
        assert book.set_accounts((account,)) == [] and book.state("carl", 0.0).registered
        assert book.set_accounts((PhoneAccount("carl", {Algorithm.MD5: "0" * 32}),)) == ["carl"]
        assert not book.state("carl", 0.0).registered
        assert (await register(carl, server, "carl")).status == 401
        assert [state.name for state in book.snapshot(0.0)] == ["anna", "bert", "carl"]
        assert book.set_accounts(()) == []
        close((server, carl))

    run(scenario())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"domain": "not a domain"}, "no domain"),
        ({"domain": "", "accounts": (entry("anna"),)}, "no domain"),
        ({"domain": DOMAIN, "accounts": (entry("anna"), entry("anna"))}, "same name"),
        ({"domain": DOMAIN, "algorithms": ("SHA-1",)}, "unknown algorithms"),
        ({"domain": DOMAIN, "min_expires_s": 9000}, "in order"),
        ({"domain": DOMAIN, "failures": 0}, "more than 0"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PhonesConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "no secret"),
        ({"md5": "xyz"}, "is none"),
        ({"sha256": "0" * 32}, "is none"),
        ({"name": "a b"}, "no name"),
    ],
)
def test_entries_that_cannot_work(parts: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PhoneEntry(**{"name": "anna", **parts})


def test_an_entry_shows_no_secret() -> None:
    shown = PhoneEntry("anna", md5="0" * 32)
    assert "0000" not in repr(shown) and "0000" not in repr(shown.account)
