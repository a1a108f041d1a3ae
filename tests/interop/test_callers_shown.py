"""Calls of ours as the other side of a trunk sees them: who calls, whom, and with which headers; sipp echoes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import SipNode, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Seen, Sipp
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegAnswered, LegEnded
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER, CALLED = "+4930555", "+4930999"
UUI = "046f726465722034323b;encoding=hex;purpose=isdn-uui;content=isdn-uui"
GIVEN = (
    ("X-Campaign", "spring"),
    ("X-Long", "x" * 300),
    ("User-to-User", UUI),
    ("P-Charging-Vector", "icid-value=1"),
    ("X-Tenant", "somebody else"),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """How a trunk shows a caller. ``shown`` are whole values of headers, "" for none."""

    settings: Mapping[str, Any]
    start_line: str
    sender: str
    shown: Mapping[str, str]
    withheld: bool = False
    headers: Sequence[tuple[str, str]] = ()


TRUNKS = {
    "plain": Expected(
        {"numbering": {"country_code": "49", "send": "national", "prefix": "0", "user_phone": True}},
        "INVITE sip:0030999@{trunk};user=phone SIP/2.0",
        '"Ada" <sip:030555@127.0.0.1>',
        {"P-Asserted-Identity": "", "Privacy": ""},
    ),
    "asserting": Expected(
        {
            "caller_id": {"identity": "pai"},
            "headers": {"outgoing": ["X-*", "User-to-User"], "fixed": {"X-Tenant": "house"}, "max_bytes": 256},
        },
        "INVITE sip:+4930999@{trunk} SIP/2.0",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        {
            "P-Asserted-Identity": "<sip:+4930555@127.0.0.1>",
            "Privacy": "id",
            "X-Campaign": "spring",
            "X-Tenant": "house",
            "X-Long": "",
            "P-Charging-Vector": "",
            "User-to-User": UUI,
        },
        withheld=True,
        headers=GIVEN,
    ),
    "account": Expected(
        {
            "username": "house",
            "caller_id": {"identity": "ppi", "from_user": "account", "number": "+4930100", "allowed": ["+4940*"]},
        },
        "INVITE sip:+4930999@{trunk} SIP/2.0",
        "<sip:house@127.0.0.1>",
        {"P-Preferred-Identity": "<sip:+4930100@127.0.0.1>"},
    ),
    "older": Expected(
        {
            "caller_id": {"identity": "rpid", "privacy": "always"},
            "numbering": {"country_code": "49", "send": "digits"},
        },
        "INVITE sip:4930999@{trunk} SIP/2.0",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        {
            "Remote-Party-ID": "<sip:4930555@127.0.0.1>;party=calling;screen=yes;privacy=full",
            "Privacy": "id",
        },
    ),
}


def test_each_trunk_shows_callers_in_its_own_way(tmp_path: Path) -> None:
    port = free_port()
    here = {"hosts": ["127.0.0.1"], "port": port, "carries": ["+*"]}
    trunks = [Trunk(name, TrunkSettings.model_validate({**here, **one.settings})) for name, one in TRUNKS.items()]

    async def scenario() -> None:
        echo = Sipp(tmp_path, "uas_echo", port=port, calls=len(TRUNKS), extra=("-rtp_echo",))
        with ExitStack() as stack:
            node = stack.enter_context(SipNode(trunks=trunks))
            answering = stack.enter_context(echo).listening()
            media = {LegId(name): stack.enter_context(RtpPeer()) for name in TRUNKS}
            for name, expected in TRUNKS.items():
                dial(node, LegId(name), media[LegId(name)], expected)
            for place in range(len(TRUNKS)):
                answered = await node.expect(LegAnswered)
                await speaks_and_hears_echo(media[answered.leg_id], answered.session, 800 + 100 * place)
            for leg_id in media:
                node.gateway.hangup(leg_id, HangupCause.AGENT_HANGUP)
                await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
        for invite, expected in zip(answering.distinct("INVITE"), TRUNKS.values(), strict=True):
            check(invite, expected, f"127.0.0.1:{port}")

    run(scenario())


def dial(node: SipNode, leg_id: LegId, media: RtpPeer, expected: Expected) -> None:
    """A call to the same number by the trunk of this name; a header that would add another one is never sent."""
    node.gateway.dial(
        leg_id,
        f"tel:{CALLED};tgrp={leg_id}",
        "127.0.0.1",
        media.port,
        f"sip:{CALLER}@127.0.0.1",
        display_name="Ada",
        headers=(*expected.headers, ("X-Line", "1\r\nX-Tenant: 2")),
        withheld=expected.withheld,
    )


def check(invite: Seen, expected: Expected, trunk: str) -> None:
    """All that an INVITE says of who calls whom."""
    assert invite.start_line == expected.start_line.format(trunk=trunk)
    assert invite.header("From").partition(";tag=")[0] == expected.sender
    assert {name: invite.header(name) for name in expected.shown} == dict(expected.shown)
    assert "X-Line" not in invite.text
