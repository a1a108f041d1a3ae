"""Two gateways that share a key, and a peer whose answer to a challenge goes to the one that did not ask."""

from __future__ import annotations

import os

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from tests.unit.gateway.test_phones import DOMAIN, close, entry, pbx
from voicegw.gateway.events import LegInvited
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.sip.challenges import Authenticator, Permit
from voicegw.sip.digest import Credentials
from voicegw.sip.message import Request, Response, serialize
from voicegw.sip.nonces import SharedNonces
from voicegw.sip.parser import parse

PHONES = PhonesConfig(DOMAIN, accounts=(entry("anna"),))


def gateways(*keys: bytes | None) -> list[Node]:
    """One a key; None: it shares nothing."""
    shared = [None if key is None else SharedNonces(key, lambda: 1_790_000_000.0) for key in keys]
    return [Node(phones=PHONES, nonces=one) for one in shared]


async def challenge(raw: RawSocket, request: bytes, asking: Node) -> Response:
    await raw.send(request, asking.address)
    return await raw.response(401)


def answered(request: bytes, challenge: Response, other: Node, user: str) -> bytes:
    """What a phone sends next, by another branch as a balancer would have it."""
    client = Authenticator(lambda *_: Credentials(user, f"{user}'s secret"), os.urandom)
    parsed = parse(request.replace(b"branch=z9hG4bK", b"branch=z9hG4bKb"))
    assert isinstance(parsed, Request)
    signed = client.answer(Permit(user), parsed, challenge, other.address)
    assert signed is not None
    return serialize(signed)


def registration(raw: RawSocket) -> bytes:
    anna = f"<sip:anna@{DOMAIN}>"
    return raw.request(
        "REGISTER", start=f"REGISTER sip:{DOMAIN} SIP/2.0", from_=f"From: {anna};tag=t", to=f"To: {anna}"
    )


@pytest.mark.parametrize(("theirs", "status"), [(b"k" * 32, 200), (b"x" * 32, 401), (None, 401)])
def test_a_phone_that_one_has_asked_is_known_to_those_with_the_same_key(theirs: bytes | None, status: int) -> None:
    async def scenario() -> None:
        (a, b), raw = gateways(b"k" * 32, theirs), RawSocket()
        request = registration(raw)
        asked = await challenge(raw, request, a)
        await raw.send(answered(request, asked, b, "anna"), b.address)
        response = await raw.response(status)
        assert ("stale" in (response.headers.get("WWW-Authenticate") or "")) is (status == 401)
        assert bool(b.gateway.phones.registrar.bindings("anna", 0.0)) is (status == 200)
        assert not a.gateway.phones.registrar.bindings("anna", 0.0)
        raw.close()
        close((a, b))

    run(scenario())


def test_so_is_a_trunk() -> None:
    async def scenario() -> None:
        (a, b), raw = gateways(b"k" * 32, b"k" * 32), RawSocket()
        for node in (a, b):
            node.gateway.trunks.put_in_force([pbx(challenge_calls=True)])
        request = raw.request("INVITE", "Max-Forwards: 70")
        asked = await challenge(raw, request, a)
        await raw.send(answered(request, asked, b, "pbx"), b.address)
        assert (await b.expect(LegInvited)).trunk == "pbx"
        raw.close()
        close((a, b))

    run(scenario())
