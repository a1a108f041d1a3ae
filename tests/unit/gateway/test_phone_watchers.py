"""Lamps and lists of other phones: SUBSCRIBE of a phone, and what it is told."""

from __future__ import annotations

import re

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from tests.unit.gateway.test_phones import DOMAIN, IP, OUT, call, close, house, phone, register
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegAnswered, LegEnded, LegInvited
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.phone_watchers import dialog_info, pidf
from voicegw.sip.challenges import Authenticator, Permit
from voicegw.sip.digest import Credentials
from voicegw.sip.message import Headers, Request, Response, serialize

IDLE = PhoneState("anna", "Anna", "", registered=True, calls=0)
BUSY = PhoneState("anna", "Anna", "", registered=True, calls=2)


class Lamp(RawSocket):
    """Bert's phone, which watches others."""

    async def subscribe(
        self, server: Node, package: str, to: str = "anna", secret: str = "bert's secret"
    ) -> Response:
        """Subscribe, with the password once it is asked for; returns the answer to that."""
        credentials = Credentials("bert", secret)
        client = Authenticator(lambda *_: credentials, lambda count: bytes(count))
        await self.send(serialize(self._subscription(package, to)), server.address)
        asked = await self.response(401)
        again = client.answer(Permit("bert"), self._subscription(package, to), asked, server.address)
        assert again is not None
        await self.send(serialize(again), server.address)
        answer = await self.receive()
        assert isinstance(answer, Response)
        return answer

    def _subscription(self, package: str, to: str) -> Request:
        self._serial += 1
        pairs = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bKs{self._serial}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:bert@{DOMAIN}>;tag=lamp"),
            ("To", f"<sip:{to}@{DOMAIN}>"),
            ("Call-ID", f"{package}-{to}-{self.port}"),
            ("CSeq", f"{self._serial} SUBSCRIBE"),
            ("Contact", f"<sip:bert@127.0.0.1:{self.port}>"),
            ("Event", package),
            ("Expires", "600"),
        ]
        return Request("SUBSCRIBE", f"sip:{to}@{DOMAIN}", Headers(pairs))

    async def told(self) -> str:
        """The next NOTIFY's body; it is answered."""
        request = await self.receive()
        assert isinstance(request, Request) and request.method == "NOTIFY", request
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        pairs = [(name, request.headers.get(name) or "") for name in names]
        port = re.search(r"127\.0\.0\.1:([0-9]+)", pairs[0][1])
        assert port is not None
        await self.send(serialize(Response(200, "OK", Headers(pairs))), self._server)
        return request.body.decode()

    def at(self, server: Node) -> Lamp:
        self._server = server.address
        return self


def test_a_lamp_follows_the_calls_of_a_phone() -> None:
    async def scenario() -> None:
        server, anna = house(), phone()
        lamp = Lamp().at(server)
        assert (await lamp.subscribe(server, "dialog")).status == 200
        assert "<dialog " not in await lamp.told()
        await register(anna, server, "anna")
        assert 'version="1"' in await lamp.told()
        call(server, "anna")
        anna.gateway.accept((await anna.expect(LegInvited)).leg_id, IP, 40_000)
        await server.expect(LegAnswered)
        assert "<state>confirmed</state>" in await lamp.told()
        server.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        await server.expect(LegEnded)
        assert "<dialog " not in await lamp.told()
        close((server, anna))
        lamp.close()

    run(scenario())


def test_a_list_of_people_says_who_can_be_called() -> None:
    async def scenario() -> None:
        server, anna = house(), phone()
        lamp = Lamp().at(server)
        assert (await lamp.subscribe(server, "presence")).status == 200
        assert "<basic>closed</basic>" in await lamp.told()
        await register(anna, server, "anna")
        assert "<basic>open</basic>" in await lamp.told()
        close((server, anna))
        lamp.close()

    run(scenario())


@pytest.mark.parametrize(
    ("package", "to", "secret", "status"),
    [
        ("presence", "anna", "guess", 401),
        ("presence", "nobody", "guess", 401),
        ("presence", "nobody", "bert's secret", 404),
        ("reg", "anna", "bert's secret", 489),
    ],
)
def test_who_is_told_nothing(package: str, to: str, secret: str, status: int) -> None:
    async def scenario() -> None:
        server = house()
        lamp = Lamp().at(server)
        assert (await lamp.subscribe(server, package, to, secret)).status == status
        server.gateway.close()
        lamp.close()

    run(scenario())


def test_documents_by_their_rfcs() -> None:
    assert dialog_info("sip:a&b@x", BUSY, 3).count(b"<state>confirmed</state>") == 2
    assert b'entity="sip:a&amp;b@x"' in dialog_info("sip:a&b@x", IDLE, 3)
    assert b"on-the-phone" in pidf("sip:a@x", BUSY) and b"on-the-phone" not in pidf("sip:a@x", IDLE)
