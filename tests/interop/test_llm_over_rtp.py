"""What a caller lives through with a language model, over real SIP and RTP and with the engines that ship.

The same stories are told on a manual clock in tests/scenarios; here the words are spoken, heard and played.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml

from tests.interop.chat import chat_server, messages_of, words
from tests.interop.fault_server import FaultServer
from tests.interop.raw_phone import RawPhone
from tests.interop.sound import Samples, silence, speech, speech_seconds
from voicegw.testing.faulty_llm_server import Fault, FaultyLlmServer, Script, ScriptedTool

pytestmark = pytest.mark.interop

HOURS = "what are your opening hours"
BOOK = "please book a table for two"
TONIGHT = "for tonight"
STOP = "stop that please"
LONG = "This is a long story about a small town. " + "And it goes on for quite a while and longer still. " * 3


class Desk(BaseHTTPRequestHandler):
    """A booking service that counts."""

    bookings: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bookings.append(body)
        answer = json.dumps({"booked": True}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


class World:
    """One server for all stories: each sets what the models say, and calls its own number."""

    def __init__(self, server: FaultServer, first: FaultyLlmServer, second: FaultyLlmServer) -> None:
        self.server, self.first, self.second = server, first, second

    def dial(self, user: str) -> RawPhone:
        phone = self.server.phone(user)
        assert phone.dial() == 200
        self.server.wait_said(phone, "Clerk here.")
        return phone

    def ask_count(self) -> int:
        return len(self.first.requests)

    def said(self, phone: RawPhone, text: str) -> None:
        self.server.wait_said(phone, text)


def clerk(name: str, models: list[str], url: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "llm",
        "name": name,
        "models": models,
        "greeting": "Clerk here.",
        "instructions": "You help callers.",
        "hints": [HOURS, BOOK, f"{BOOK} {TONIGHT}", TONIGHT, STOP, "okay"],
        "tools": [
            {
                "type": "http",
                "name": "book",
                "description": "Book a table.",
                "method": "POST",
                "url": url,
                "say": "I am booking it.",
                "parameters": {
                    "type": "object",
                    "properties": {"seats": {"type": "integer"}},
                    "required": ["seats"],
                },
            }
        ],
        **more,
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two chat servers, a booking service, and a node that uses them."""
    desk = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=desk.serve_forever)
    thread.start()
    try:
        with chat_server(Script()) as first, chat_server(Script()) as second, chat_server(Script()) as frail:
            servers = [
                {"name": name, "base_url": server.base_url, "model": "any"}
                for name, server in (("first", first), ("second", second), ("frail", frail))
            ]
            expected = ("did not warm up", "asked again", "language model", "is passed over")
            work = tmp_path_factory.mktemp("world")
            server = FaultServer(work, settings={"llm": {"servers": servers}}, expected=expected)
            url = f"http://127.0.0.1:{desk.server_port}/bookings"
            agents = (
                clerk("clerk", ["first"], url),
                clerk("pair", ["frail", "second"], url),
                clerk("alone", ["frail"], url, fallback="echo_keys"),
            )
            for agent in agents:
                (server.home / "agents" / f"{agent['name']}.yaml").write_text(yaml.safe_dump(agent))
            routes = [
                {"name": agent["name"], "match": {"called": agent["name"]}, "agent": agent["name"]}
                for agent in agents
            ]
            (server.home / "dialplan.yaml").write_text(yaml.safe_dump({"routes": routes}))
            frail.serve(Script(fault=Fault.HANG_UP))
            with server:
                yield World(server, first, second)
    finally:
        desk.shutdown()
        thread.join()
        desk.server_close()


def loud(text: str, folder: Path) -> Samples:
    return np.concatenate([speech(text, folder), silence(0.1)])


def test_the_first_sentence_is_heard_while_the_model_still_writes_and_a_hang_up_stops_it(
    world: World, tmp_path: Path
) -> None:
    answer = words("We open at nine. And I will never come to the end of this")
    world.first.serve(Script(answer, fault=Fault.STALL, fault_after=8))
    with world.dial("clerk") as phone:
        phone.play(loud(HOURS, tmp_path))
        world.said(phone, "We open at nine.")
        phone.hang_up()
        world.server.wait(lambda: not world.first.gone.locked(), 30, "the model is told that nobody listens")
    world.server.wait_ended(phone)


def test_the_answer_is_prepared_while_the_turn_ends(world: World, tmp_path: Path) -> None:
    world.first.serve(Script(words("We open at nine."), first_token_s=0.1))
    with world.dial("clerk") as phone:
        for count in range(1, 4):
            phone.play(loud(HOURS, tmp_path))
            world.server.wait_said(phone, "We open at nine.", count=count)
        timings = world.server.wait_facts(phone, "TurnWasTimed", 3)
        assert any(timing["speculated"] for timing in timings), timings
        phone.hang_up()


def test_words_after_a_pause_belong_to_the_same_turn(world: World, tmp_path: Path) -> None:
    world.first.serve(Script(words("A table for tonight."), first_token_s=0.05))
    with world.dial("clerk") as phone:
        phone.play(np.concatenate([speech(BOOK, tmp_path), silence(0.15), loud(TONIGHT, tmp_path)]))
        world.said(phone, "A table for tonight.")
        phone.hang_up()
    log = world.server.wait_ended(phone)
    turns = [fact["text"] for fact in log.all("CallerSpoke")]
    assert turns == [f"{BOOK} {TONIGHT}"]
    assert log.agent_said.count("A table for tonight.") == 1, "what was prepared for half of it is not heard"


def test_a_spoken_interruption_stops_the_agent_and_the_model_knows_where(world: World, tmp_path: Path) -> None:
    world.first.serve(Script(words(LONG)), Script(words("All right.")))
    with world.dial("clerk") as phone:
        before = world.ask_count()
        phone.play(loud(HOURS, tmp_path))
        phone.wait_played()
        since = phone.mark()
        world.server.wait_facts(phone, "TurnWasTimed")
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
        phone.play(loud(STOP, tmp_path))
        world.said(phone, "All right.")
        phone.hang_up()
    log = world.server.wait_ended(phone)
    assert log.all("CallerBargedIn")
    told = messages_of(world.first.requests[-1])
    assert world.ask_count() > before
    assert told[-1]["content"].endswith(STOP)
    assert told[-2]["role"] == "assistant"
    assert told[-2]["content"].endswith("…")
    assert told[-2]["content"].count("longer still") < 3


def test_an_okay_in_the_middle_does_not_stop_the_agent(world: World, tmp_path: Path) -> None:
    world.first.serve(Script(words(LONG)))
    with world.dial("clerk") as phone:
        phone.play(loud(HOURS, tmp_path))
        world.server.wait_facts(phone, "TurnWasTimed")
        phone.play(np.concatenate([silence(1.0), loud("okay", tmp_path)]))
        world.server.wait_facts(phone, "CallerWasBackground")
        world.server.wait_said(phone, "longer still", count=3, within_s=60.0)
        phone.hang_up()
    log = world.server.wait_ended(phone)
    assert not log.all("CallerBargedIn")
    assert len(log.all("CallerSpoke")) == 1


def test_a_tool_runs_once_and_the_caller_is_told_meanwhile(world: World, tmp_path: Path) -> None:
    Desk.bookings.clear()
    tool = ScriptedTool("book", '{"seats": 2}')
    world.first.serve(Script((), tools=[tool], finish_reason="tool_calls"), Script(words("It is booked.")))
    with world.dial("clerk") as phone:
        phone.play(loud(BOOK, tmp_path))
        world.said(phone, "It is booked.")
        phone.hang_up()
    log = world.server.wait_ended(phone)
    assert Desk.bookings == [{"seats": 2}]
    assert "I am booking it." in log.agent_said
    assert json.loads(messages_of(world.first.requests[-1])[-1]["content"])["booked"] is True


def test_a_slow_model_is_bridged_and_its_answer_still_comes(world: World, tmp_path: Path) -> None:
    world.first.serve(Script(words("We open at nine."), first_token_s=4.0))
    with world.dial("clerk") as phone:
        phone.play(loud(HOURS, tmp_path))
        world.said(phone, "One moment, please.")
        world.said(phone, "We open at nine.")
        phone.hang_up()


def test_a_second_model_answers_where_the_first_is_dead(world: World, tmp_path: Path) -> None:
    world.second.serve(Script(words("We open at nine.")))
    with world.dial("pair") as phone:
        phone.play(loud(HOURS, tmp_path))
        world.said(phone, "We open at nine.")
        phone.hang_up()


def test_the_script_takes_over_where_no_model_answers(world: World, tmp_path: Path) -> None:
    with world.dial("alone") as phone:
        phone.play(loud(HOURS, tmp_path))
        world.said(phone, "Please press four keys.")
        phone.press("4711")
        world.said(phone, "You pressed 4 7 1 1.")
        phone.hang_up()


def test_keys_are_an_answer_too(world: World) -> None:
    world.first.serve(Script(words("You want two seats.")))
    with world.dial("clerk") as phone:
        phone.press("2#")
        world.said(phone, "You want two seats.")
        phone.hang_up()
    assert "2" in messages_of(world.first.requests[-1])[-1]["content"]
