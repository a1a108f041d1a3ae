"""What SIP has said in a call is in its record while the call goes on, not only when it is over."""

from __future__ import annotations

import asyncio

from tests.scenarios.house import LEG, House
from voicegw.agents.actions import AgentAction, Gather, Say
from voicegw.call import facts as f
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.gateway.sip_traces import SipTraces, Trace
from voicegw.sip.address import Address

HERE, PEER = Address("192.0.2.1", 5060), Address("192.0.2.9", 5080)
REPLIES: list[list[AgentAction]] = [[Say("Hello."), Gather(no_input_ms=60_000)]]


def trace(start_line: str) -> Trace | None:
    traces = SipTraces(LadderConfig(), lambda _peer: HERE, lambda: 0.0)
    traces.follow(LEG, "a@b")
    traces.received(f"{start_line}\r\nCall-ID: a@b\r\nCSeq: 1 INVITE\r\n\r\n".encode(), PEER)
    return traces.take(LEG)


def told(house: House) -> list[str]:
    facts = house.facts.of(f.SipWasTraced)
    return [step.start_line for fact in facts for step in fact.steps]  # type: ignore[attr-defined]


def test_the_set_up_is_told_after_five_seconds_and_what_follows_twice_a_minute() -> None:
    async def story() -> None:
        house = House(REPLIES)
        setup, later = trace("INVITE sip:a SIP/2.0"), trace("OPTIONS sip:a SIP/2.0")
        assert setup is not None and later is not None
        house.call._record.begin(house.call.call_id, house.call._offer, None)
        house.signalling.first_traces[LEG] = setup
        await house.answer()
        await house.run(4.9)
        assert told(house) == []
        await house.run(0.2)
        assert told(house) == ["INVITE sip:a SIP/2.0"]
        house.signalling.first_traces[LEG] = later
        await house.run(29.0)
        assert len(told(house)) == 1
        await house.run(1.1)
        assert told(house)[1:] == ["OPTIONS sip:a SIP/2.0"]

    asyncio.run(story())
