"""What the INVITE of a carrier says of a call, in the record, the dialplan's choice and the agent's words.

Each call is sipp's and has its sound checked in both directions (:mod:`tests.interop.introductions`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.introductions import Introduction, Taken, take_all
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, tone
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CARRIER, NETWORK, PBX = "127.0.0.2", "127.0.0.3", "127.0.0.4"
NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'
HERE = "[remote_ip]:[remote_port]"
PIDF_LO = (
    'Content-Type: application/pidf+xml\nContent-ID: <here@carrier.test>\n\n<?xml version="1.0"?>\n'
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:ada@carrier.test"/>'
)
ISUP = (
    "Content-Type: application/isup;version=itu-t92+\nContent-Disposition: signal;handling=optional\n\n"
    "\\x01\\x11\\x48\\x00\\x0a\\x03\\x02\\x0a\\x08\\x83\\x90"
)


def passport(filler: int) -> str:
    """An Identity header (RFC 8224, RFC 8588) whose signature is as long as somebody's chain of trust."""

    def coded(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    head = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://certificates.test/1.pem"}
    claims = {
        "attest": "A",
        "dest": {"tn": ["4930100"]},
        "iat": 1_767_261_600,
        "orig": {"tn": "4930777"},
        "origid": "00000000-0000-4000-8000-000000000001",
    }
    signature = "s" * filler
    return f"Identity: {coded(head)}.{coded(claims)}.{signature};info=<https://certificates.test/1.pem>;ppt=shaken"


CALLS = (
    Introduction(
        "asserted",
        CARRIER,
        ('P-Asserted-Identity: "Ada L." <sip:030555@carrier.test;user=phone>, <tel:+49-30-555>', "Privacy: id"),
        sender=NOBODY,
    ),
    Introduction(
        "claimed",
        NETWORK,
        ("P-Asserted-Identity: <sip:+4930555@carrier.test>", "P-Preferred-Identity: <sip:+4930556@carrier.test>"),
        sender=NOBODY,
    ),
    Introduction(
        "older",
        CARRIER,
        ('Remote-Party-ID: "Bob" <sip:+4930888@carrier.test>;party=calling;screen=yes;privacy=full',),
    ),
    Introduction(
        "diverted",
        CARRIER,
        (
            "Diversion: <sip:+4930112@carrier.test>;reason=no-answer;counter=1;privacy=off",
            'Diversion: "Desk" <tel:+4930111>;reason=user-busy;counter=2',
        ),
    ),
    Introduction(
        "history",
        CARRIER,
        (
            "History-Info: <sip:+4930121@carrier.test?Reason=SIP%3Bcause%3D486>;index=1",
            "History-Info: <sip:+4930122@carrier.test;cause=486>;index=1.1;mp=1,"
            "<sip:100@house.test;cause=302>;index=1.1.1;mp=1.1",
        ),
    ),
    Introduction(
        "headers",
        CARRIER,
        (
            "X-Campaign: spring",
            f"X-Campaign-Secret: {'s' * 300}",
            "P-Charging-Vector: icid-value=1;icid-generated-at=carrier.test",
            "User-to-User: 046f726465722034323b;encoding=hex;purpose=isdn-uui;content=isdn-uui",
        ),
    ),
    Introduction(
        "number in R-URI",
        CARRIER,
        uri=f"sip:030-100;isub=77@{HERE};user=phone",
        receiver="<tel:+49-30-999;isub=1>",
        sender="<tel:+49-30-777>",
    ),
    Introduction("number alone", CARRIER, uri="tel:+49-30-100;isub=78", receiver="<tel:+49-30-100>"),
    Introduction(
        "number in P-Called-Party-ID",
        PBX,
        ("P-Called-Party-ID: <sip:+4930124@pbx.test;user=phone>",),
        uri=f"sip:account@{HERE}",
        receiver="<sip:+4930125@pbx.test>",
    ),
    Introduction("number in To", PBX, uri=f"sip:account@{HERE}", receiver="<sip:030126@pbx.test>"),
    Introduction("location and ISUP", CARRIER, ("Geolocation: <cid:here@carrier.test>",), before=(PIDF_LO, ISUP)),
    Introduction(
        "signed by TCP",
        CARRIER,
        (passport(4000),),
        sender='"Ada" <sip:+4930777;verstat=TN-Validation-Passed@carrier.test;user=phone>',
        extra=("-t", "t1"),
    ),
    Introduction(
        "signed by UDP",
        CARRIER,
        (passport(9000), "P-Asserted-Identity: <sip:+4930777@carrier.test;verstat=TN-Validation-Failed>"),
        after=(PIDF_LO,),
    ),
)
ROUTES = [
    {"name": "desk", "match": {"called": "desk"}, "agent": "keys_to_desk"},
    {"name": "leak", "match": {"header": {"X-Campaign-Secret": {"present": True}}}, "reject": "busy"},
    {"name": "leak of others", "match": {"header": {"P-Charging-Vector": {"present": True}}}, "reject": "busy"},
    {"name": "campaign", "match": {"header": {"x-campaign": "spring"}}, "agent": "who_calls"},
    {"name": "known", "match": {"trunk": "carrier", "calling": "+4930555"}, "agent": "who_calls"},
    {"name": "nobody", "match": {"trunk": "network", "calling": {"present": False}}, "agent": "who_calls"},
    {"name": "sent on", "match": {"original_called": {"prefix": "+493011"}}, "agent": "who_calls"},
    {"name": "sent on twice", "match": {"original_called": "+4930121"}, "agent": "who_calls"},
    {"name": "number", "match": {"called": {"regex": r"\+4930(100|12[46])"}}, "agent": "who_calls"},
]
TRUNKS: dict[str, dict[str, Any]] = {
    "carrier": {
        "allowed_addresses": [CARRIER],
        "caller_id": {"trusted": True},
        "numbering": {"country_code": "49"},
        "headers": {"incoming": ["X-*", "User-to-User", "Diversion"], "max_bytes": 256},
    },
    "network": {"allowed_addresses": [NETWORK]},
    "pbx": {
        "allowed_addresses": [PBX],
        "numbering": {"country_code": "49"},
        "quirks": {"number_in_to": "the PBX calls the name that we registered"},
    },
}


OUTWARD: dict[str, Any] = {
    "carries": ["+49*"],
    "caller_id": {"identity": "pai"},
    "numbering": {"country_code": "49", "send": "national", "user_phone": True},
    "headers": {"fixed": {"X-Tenant": "house"}},
    "health": {"options_s": 0},
}
DESK = "+4930999"


@dataclass(frozen=True, slots=True)
class House:
    """The server of all calls, and the port where its desk is."""

    work: Path
    server: Server
    desk: int


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with three trunks that bring calls, and one that carries them to the desk."""
    work, desk = tmp_path_factory.mktemp("calls"), free_port()
    target = {"name": "desk", "uri": DESK, "trunk": "outward"}
    settings = {"transfer": {"targets": [target], "connecting": ""}}
    server = Server(work, agent="who_calls", routes=ROUTES, settings=settings)
    outward = OUTWARD | {"hosts": ["127.0.0.1"], "port": desk}
    for name, trunk in (TRUNKS | {"outward": outward}).items():
        server.write_trunk(name, **trunk)
    with server:
        yield House(work, server, desk)


@pytest.fixture(scope="module")
def taken(house: House) -> dict[str, Taken]:
    """All calls, at once, by their names."""
    return take_all(house.server, house.work, CALLS)


def test_an_asserted_caller_is_known_and_stays_hidden(taken: dict[str, Taken]) -> None:
    call = taken["asserted"]
    call.says(route="known", calling="+4930555", trunk="carrier", asserted=True, withheld=True)
    assert "Your number is hidden." in call.log.agent_said


def test_nobody_believes_what_an_untrusted_network_asserts(taken: dict[str, Taken]) -> None:
    taken["claimed"].says(route="nobody", calling="", asserted=False, withheld=True)


def test_remote_party_id_is_believed_in_place_of_an_assertion(taken: dict[str, Taken]) -> None:
    taken["older"].says(calling="+4930888", display_name="Bob", asserted=True, withheld=True)


def test_diversions_choose_the_route_of_whom_was_called_at_first(taken: dict[str, Taken]) -> None:
    call = taken["diverted"]
    call.says(route="sent on", called="100", original_called="+4930111", diverted_by="+4930112")
    call.says(diversion_reason="no-answer")
    assert "You were diverted." in call.log.agent_said


def test_history_tells_the_same(taken: dict[str, Taken]) -> None:
    call = taken["history"]
    call.says(route="sent on twice", original_called="+4930121", diverted_by="+4930122")
    call.says(diversion_reason="unconditional")


def test_listed_headers_pass_and_no_others(taken: dict[str, Taken]) -> None:
    call = taken["headers"]
    call.says(route="campaign", user_to_user="order 42;")
    assert "You have an order." in call.log.agent_said


@pytest.mark.parametrize(
    ("name", "called", "subaddress", "told"),
    [
        ("number in R-URI", "+4930100", "77", "Welcome to the subaddress."),
        ("number alone", "+4930100", "78", ""),
        ("number in P-Called-Party-ID", "+4930124", "", "You are a colleague."),
        ("number in To", "+4930126", "", "You are a colleague."),
    ],
)
def test_the_called_number_in_every_form(
    taken: dict[str, Taken], name: str, called: str, subaddress: str, told: str
) -> None:
    call = taken[name]
    call.says(route="number", called=called, calling="+4930777", subaddress=subaddress)
    assert told in call.log.agent_said


def test_a_description_between_location_and_isup_is_answered(taken: dict[str, Taken]) -> None:
    call = taken["location and ISUP"]
    call.says(route="everything", trunk="carrier")
    assert call.answer.header("Content-Type") == "application/sdp"


def test_a_signature_of_4_kb_by_tcp_is_read(taken: dict[str, Taken]) -> None:
    call = taken["signed by TCP"]
    call.says(attestation="A", verified="passed", calling="+4930777")
    assert "You are verified." in call.log.agent_said


def test_a_signature_of_9_kb_by_udp_is_read(taken: dict[str, Taken]) -> None:
    taken["signed by UDP"].says(attestation="A", verified="failed", calling="+4930777")


def test_the_desk_is_told_who_called_and_what_they_pressed_and_shows_it_to_nobody(
    house: House, taken: dict[str, Taken]
) -> None:
    """A withheld caller is put through: known to the trunk, hidden from the desk; keys come as User-to-User."""
    assert house.server.calls(len(taken))
    shy = Introduction(
        "shy",
        CARRIER,
        ("P-Asserted-Identity: <tel:+4930555>", "Privacy: id", "X-Campaign-Name: not for the desk"),
        uri=f"sip:desk@{HERE}",
        sender=NOBODY,
    )
    with RtpPeer() as here, RtpPeer() as there:
        with (
            Sipp(house.work, "target_answers", port=house.desk, values={"rtp_port": str(there.port)}) as desk,
            Sipp(
                house.work,
                "uac_introduced",
                target=house.server.address,
                host=CARRIER,
                values=shy.values(here.port),
            ) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(1000, 60), digits="427")
            invite = desk.wait_for("INVITE")
            media = next(line for line in invite.body.splitlines() if line.startswith("m=audio"))
            there.start(("127.0.0.1", int(media.split()[1])), tone(1700, 60))
            here.wait_heard(lambda heard: seconds_with(heard, 1700) >= 1.5)
            there.wait_heard(lambda heard: seconds_with(heard, 1000) >= 1.5)
            caller.tell()
            caller.passed()
            desk.passed()
        log = house.server.calls(len(taken) + 1)[-1]
    assert seconds_with(here.heard(), 1700) >= 1.5 and seconds_with(there.heard(), 1000) >= 1.5
    assert log.one("CallWasRouted")["route"] == "desk"
    assert invite.start_line == f"INVITE sip:030999@127.0.0.1:{house.desk};user=phone SIP/2.0"
    assert invite.header("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.header("P-Asserted-Identity") == "<sip:030555@127.0.0.1>"
    assert [invite.header(name) for name in ("Privacy", "X-Tenant", "X-Campaign-Name")] == ["id", "house", ""]
    data = bytes.fromhex(invite.header("User-to-User").partition(";")[0])
    assert data == b"\x04order=427;"
