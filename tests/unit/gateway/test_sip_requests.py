"""Waiting for the answers to requests outside calls, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.sip.events import RequestAnswered, RequestFailed
from voicegw.sip.message import Request

US = "<sip:us@127.0.0.1>"


def test_an_answer_comes_back() -> None:
    async def scenario() -> None:
        asking, asked = Node(), Node()
        event = await asking.gateway.requests.send("OPTIONS", f"sip:{asked.address}", asked.address, from_=US)
        assert isinstance(event, RequestAnswered)
        assert event.response.status == 200
        asking.gateway.close()
        asked.gateway.close()

    run(scenario())


def test_silence_ends_with_the_patience() -> None:
    async def scenario() -> None:
        asking, silent = Node(), RawSocket()
        place = asking.address._replace(port=silent.port)
        event = await asking.gateway.requests.send("OPTIONS", f"sip:{place}", place, from_=US, patience_s=0.1)
        assert isinstance(event, RequestFailed) and event.timed_out
        asking.gateway.close()
        silent.close()

    run(scenario())


def test_who_stops_waiting_is_forgotten() -> None:
    async def scenario() -> None:
        asking, silent = Node(), RawSocket()
        place = asking.address._replace(port=silent.port)
        waiting = asyncio.create_task(asking.gateway.requests.send("OPTIONS", f"sip:{place}", place, from_=US))
        assert isinstance(await silent.receive(), Request)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asking.gateway._agent.transactions == 0
        asking.gateway.close()
        silent.close()

    run(scenario())
