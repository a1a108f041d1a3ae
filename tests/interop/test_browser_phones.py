"""SIP.js over WebSocket, plain and secure: it calls, is called, holds, and both sides change and end calls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipjs_peer import SipJs, Step
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, SECRET, PAGE = "voice.test", "rose garden", "https://console.test"
CALLER_HZ, PHONE_HZ = 1000, 1700
ROUTES = [
    {"name": "clock", "match": {"called": "clock"}, "agent": "goodbye"},
    {"name": "desk", "match": {"called": "desk"}, "agent": "put_through"},
]


@dataclass(frozen=True, slots=True)
class House:
    """A server with two doors for browsers: ``ws`` for every page, ``wss`` for one."""

    server: Server
    ws: str
    wss: str
    ca: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    work = tmp_path_factory.mktemp("house")
    authority = Authority(work / "authority")
    certificate, key = authority.issue("server", "127.0.0.1")
    port, ws, wss = free_port(), free_port(), free_port()
    listeners: list[dict[str, Any]] = [
        {"transport": kind, "ip": "127.0.0.1", "port": at} for kind, at in (("udp", port), ("ws", ws), ("wss", wss))
    ]
    listeners[-1] |= {"certificate": certificate, "key": key, "origins": [PAGE]}
    anna = {"name": "anna", "md5": make_ha1(Algorithm.MD5, "anna", DOMAIN, SECRET)}
    anna["sha256"] = make_ha1(Algorithm.SHA_256, "anna", DOMAIN, SECRET)
    settings = {
        "sip": {"listeners": listeners, "session_expires_s": 6, "min_se_s": 4},
        "phones": {"domain": DOMAIN, "accounts": [anna], "min_expires_s": 2, "expires_s": 60},
        "transfer": {"targets": [{"name": "desk", "uri": f"sip:anna@{DOMAIN}"}], "connecting": ""},
    }
    with Server(work, routes=ROUTES, settings=settings, port=port) as server:
        yield House(server, f"ws://127.0.0.1:{ws}", f"wss://127.0.0.1:{wss}", authority.ca)


def test_a_browser_phone_calls_holds_and_hangs_up(house: House, tmp_path: Path) -> None:
    """Re-INVITE from both sides: hold and resume from the phone, the refresh of the session from us."""
    steps: list[Step] = [("call", "sip:first@127.0.0.1"), ("wait", 1.0), ("hold",), ("wait", 1.5), ("resume",)]
    steps += [("keys", "5"), ("refreshed",), ("wait", 2.0), ("bye",)]
    with RtpPeer() as media, SipJs(tmp_path, house.ws, media, steps) as phone:
        media.start(phone.remote(), tone(PHONE_HZ, 60))
        phone.passed()
    log = house.server.called("first")
    caller, _agent = house.server.recording(log)
    assert log.cause == "caller_hangup"
    (held, held_ms), (free, resumed_ms) = log.dated("CallWasHeld")
    assert [held["held"], free["held"]] == [True, False]
    assert log.keys == "5"
    assert phone.all("reinvited"), "we refresh what the phone cannot"
    assert speech_seconds(media.heard()) >= 1.5
    assert seconds_with(caller, PHONE_HZ) >= 4
    offered_at = datetime.fromisoformat(log.one("CallWasOffered")["started_at"]).timestamp()
    held_at, resumed_at = offered_at + held_ms / 1000, offered_at + resumed_ms / 1000
    assert resumed_at - held_at > 1
    assert media.arrived_between(0, held_at) and media.arrived_between(resumed_at, math.inf)
    assert not media.arrived_between(held_at + 0.5, resumed_at - 0.1), "no sound while the call is held"


def test_the_agent_hangs_up_on_a_browser_phone(house: House, tmp_path: Path) -> None:
    """Over TLS, by the connection of the phone: its Contact is a name that nobody can look up (RFC 7118 §5)."""
    steps: list[Step] = [("call", "sip:clock@127.0.0.1"), ("ended",)]
    with RtpPeer() as media, SipJs(tmp_path, house.wss, media, steps, ca=house.ca) as phone:
        media.start(phone.remote(), tone(PHONE_HZ, 20))
        phone.passed()
    log = house.server.called("clock")
    caller, _agent = house.server.recording(log)
    assert log.cause == "agent_hangup"
    assert speech_seconds(media.heard()) >= 1.5
    assert seconds_with(caller, PHONE_HZ) >= 2


def test_two_browser_phones_talk_with_one_another(house: House, tmp_path: Path) -> None:
    """One is registered over TLS, and the other one, that has no account, is put through to it."""
    answering: list[Step] = [("register",), ("answer",), ("wait", 4.5), ("bye",), ("unregister",)]
    calling: list[Step] = [("call", "sip:desk@127.0.0.1"), ("ended",)]
    account = {"uri": f"sip:anna@{DOMAIN}", "password": SECRET, "ca": house.ca}
    with RtpPeer() as here, RtpPeer() as there, SipJs(tmp_path, house.wss, there, answering, **account) as phone:
        phone.wait_for("registered")
        with SipJs(tmp_path, house.ws, here, calling) as caller:
            here.start(caller.remote(), tone(CALLER_HZ, 30))
            there.start(phone.remote(), tone(PHONE_HZ, 30))
            phone.passed()
            caller.passed()
    assert house.server.called("desk").cause == "callee_hangup"
    assert phone.all("unregistered")
    assert seconds_with(here.heard(), PHONE_HZ) >= 1.5
    assert seconds_with(there.heard(), CALLER_HZ) >= 1.5


@pytest.mark.parametrize(
    "options",
    [{"origin": "https://evil.test"}, {"origin": ""}, {"subprotocol": "xmpp"}, {"ca": ""}],
    ids=["another page", "no page", "another protocol", "an authority nobody knows"],
)
def test_who_may_not_connect_does_not(house: House, tmp_path: Path, options: dict[str, str]) -> None:
    """No call and so no sound: the connection is closed before any SIP (``ca``: by the phone)."""
    with RtpPeer() as media, SipJs(tmp_path, house.wss, media, [], **({"ca": house.ca} | options)) as phone:
        assert phone.process.wait(30) == 1
    assert not phone.all("connected")
    assert "WebSocket closed" in phone.events[-1]["why"]
