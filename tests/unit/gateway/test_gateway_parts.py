from __future__ import annotations

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.invitation import read_invitation
from voicegw.gateway.leg_causes import cause_of, reason_text, refusal_status
from voicegw.gateway.local_addresses import CACHE_SIZE, LocalAddresses
from voicegw.sip.address import Address
from voicegw.sip.events import CallEnded, EndedBy, SipCallHandle
from voicegw.sip.message import Headers, Request

HANDLE = SipCallHandle(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"listen_ip": "localhost"},
        {"advertised_ip": "gw.example.net"},
        {"listen_port": 65_536},
        {"t1_ms": 0},
        {"codecs": ("G729",)},
        {"codecs": ()},
    ],
)
def test_a_wrong_configuration_says_what_and_how_to_fix_it(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="fix: "):
        SipConfig(**wrong)  # type: ignore[arg-type]


def test_codecs_in_the_order_of_the_configuration_and_keypad_events_always() -> None:
    names = [codec.name for codec in SipConfig(codecs=("PCMA", "PCMU")).preferences]
    assert names == ["PCMA", "PCMU", "telephone-event"]


def test_every_end_has_a_cause() -> None:
    for ended_by in EndedBy:
        assert isinstance(cause_of(CallEnded(HANDLE, ended_by), HangupCause.AGENT_HANGUP), HangupCause)
    assert cause_of(CallEnded(HANDLE, EndedBy.LOCAL_BYE), HangupCause.NO_INPUT) is HangupCause.NO_INPUT
    assert cause_of(CallEnded(HANDLE, EndedBy.REMOTE_REFUSAL, 488), None) is HangupCause.NOT_ACCEPTABLE
    assert cause_of(CallEnded(HANDLE, EndedBy.REMOTE_REFUSAL, 603), None) is HangupCause.PEER_REJECTED


def test_every_cause_refuses_an_invite_with_a_final_status_that_refuses() -> None:
    assert all(300 <= refusal_status(cause) <= 699 for cause in HangupCause)


def test_the_peers_reason_is_its_reason_header_or_phrase() -> None:
    headers = Headers([("Reason", "Q.850;cause=17")])
    assert reason_text(CallEnded(HANDLE, EndedBy.REMOTE_BYE, headers=headers)) == "Q.850;cause=17"
    assert reason_text(CallEnded(HANDLE, EndedBy.REMOTE_REFUSAL, 486, "Busy")) == "Busy"
    assert reason_text(CallEnded(HANDLE, EndedBy.LOCAL_BYE, headers=headers)) == ""


def test_an_invitation_is_read_for_people() -> None:
    pairs = [
        ("f", '"J\u00c3\u00b6rg" <sip:+4930123;phone-context=x@h;user=phone>;tag=1'),
        ("To", "<sip:desk@h>"),
        ("i", "c1"),
        ("X-Twice", "first"),
        ("x-twice", "second"),
    ]
    invited = read_invitation(LegId("l"), Request("INVITE", "sip:192.0.2.1", Headers(pairs)), has_offer=False)
    assert (invited.called, invited.calling, invited.display_name) == ("desk", "+4930123", "Jörg")
    assert invited.headers["X-Twice"] == "first"
    assert invited.headers["Call-ID"] == invited.sip_call_id == "c1"
    assert "x-twice" not in invited.headers


@pytest.mark.parametrize("uri", ["sip:h", "sip:anonymous@anonymous.invalid", "tel:+49-30-1", "isbn:1"])
def test_odd_callers_are_callers_too(uri: str) -> None:
    pairs = [("From", f"<{uri}>"), ("To", f"<{uri}>"), ("Call-ID", "c")]
    assert read_invitation(LegId("l"), Request("INVITE", "sip:x@h", Headers(pairs)), has_offer=True).called == "x"


def test_addresses_as_the_peer_sees_them() -> None:
    peer = Address("127.0.0.1", 9999)
    assert LocalAddresses(Address("0.0.0.0", 5070))(peer) == Address("127.0.0.1", 5070)
    assert LocalAddresses(Address("192.0.2.7", 5070))(peer) == Address("192.0.2.7", 5070)
    assert LocalAddresses(Address("0.0.0.0", 5070), "203.0.113.1")(peer) == Address("203.0.113.1", 5070)
    assert LocalAddresses(Address("::", 5070))(Address("::1", 9999)) == Address("::1", 5070)


def test_the_cache_of_addresses_is_bounded() -> None:
    addresses = LocalAddresses(Address("192.0.2.7", 5070))
    for n in range(CACHE_SIZE + 10):
        addresses(Address(f"10.0.{n // 256}.{n % 256}", 5060))
    assert len(addresses._cache) <= CACHE_SIZE
