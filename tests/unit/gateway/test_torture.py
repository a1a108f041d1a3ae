"""Every torture message gets what the table says it is owed, in bounded time, and leaves the server as it was."""

from __future__ import annotations

import time

import pytest

from tests.unit.gateway.torture import OWN_VECTORS, RFC_VECTORS, Reaction, reaction, vectors
from tests.unit.gateway.torture_cases import LONG, OWN_FILES, RFC4475, RFC5118
from tests.unit.gateway.torture_long import LONG_MESSAGES
from tests.unit.sip.raw_peer import PEER, RawPeer, datagram
from voicegw.sip.address import is_sendable

RFCS = {"rfc4475": RFC4475, "rfc5118": RFC5118}
MESSAGES: dict[str, tuple[bytes, Reaction | None]] = {
    **{
        f"{folder}/{name}": (data, table.get(name))
        for folder, table in RFCS.items()
        for name, data in vectors(RFC_VECTORS / folder).items()
    },
    **{name: (data, OWN_FILES.get(name)) for name, data in vectors(OWN_VECTORS, "*.sip").items()},
    **{name: (data, LONG.get(name)) for name, data in LONG_MESSAGES.items()},
}
"""The RFCs' messages lie beside the project; where they are not at hand, our own corpus stands alone."""
LONGEST_S = 1.0
"""For 60 kB of the worst, ten times over on a slow machine: what is quadratic takes minutes."""


@pytest.mark.parametrize("name", MESSAGES)
def test_reaction(name: str) -> None:
    data, expected = MESSAGES[name]
    assert expected is not None, "a message without a row"
    started = time.process_time()
    assert reaction(data) == expected
    assert time.process_time() - started < LONGEST_S


@pytest.mark.parametrize("name", MESSAGES)
def test_the_server_lives_on_and_sent_nothing_that_no_socket_can_send(name: str) -> None:
    peer = RawPeer()
    peer.agent.receive_datagram(MESSAGES[name][0], PEER, peer.now)
    peer.taken()
    peer.wait(40.0)
    assert all(is_sendable(address) for address in peer.sent_to)
    assert peer.one(datagram("OPTIONS", branch="alive", call_id="Call-ID: alive")).status == 200


@pytest.mark.parametrize("folder", RFCS)
def test_the_messages_of_an_rfc_are_all_there_or_their_folder_is_not(folder: str) -> None:
    found = vectors(RFC_VECTORS / folder)
    assert not found or found.keys() == RFCS[folder].keys(), f"{RFC_VECTORS / folder} is incomplete"


def test_every_row_has_a_message() -> None:
    assert vectors(OWN_VECTORS, "*.sip").keys() == OWN_FILES.keys()
    assert LONG_MESSAGES.keys() == LONG.keys()


@pytest.mark.parametrize("name", ["via-maddr.sip", "via-received-forged.sip", "via-host-name.sip"])
def test_no_via_aims_our_answers_at_anybody_else(name: str) -> None:
    peer = RawPeer()
    peer.agent.receive_datagram(MESSAGES[name][0], PEER, peer.now)
    peer.taken()
    assert {address.host for address in peer.sent_to} == {PEER.host}
