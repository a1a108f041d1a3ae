"""Identity headers: what is written is read again as the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.sip.asserted import RemoteParty
from voicegw.sip.diversion import Diversion, HistoryEntry
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers, Request
from voicegw.sip.parties import read_parties
from voicegw.sip.reason import Reason, parse_reason
from voicegw.sip.user_to_user import UserToUser

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
USERS = st.text("abcXYZ0123456789+-_.", min_size=1, max_size=12)
ADDRESSES = st.builds(lambda user, name: NameAddr(f"sip:{user}@pbx.test", name), USERS, NAMES)
INDICES = st.lists(st.integers(0, 9999), min_size=1, max_size=6).map(lambda parts: ".".join(map(str, parts)))
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
HEADER_NAMES = st.sampled_from(
    [
        "From",
        "To",
        "P-Asserted-Identity",
        "Remote-Party-ID",
        "Privacy",
        "Diversion",
        "History-Info",
        "User-to-User",
        "Identity",
    ]
)


@settings(max_examples=60, deadline=None)
@given(ADDRESSES, TOKENS, st.integers(0, 99), st.booleans())
def test_diversion(address: NameAddr, reason: str, counter: int, hidden: bool) -> None:
    diversion = Diversion(address, reason, counter, hidden)
    assert Diversion.parse(str(diversion)) == diversion


@settings(max_examples=60, deadline=None)
@given(ADDRESSES, INDICES, st.just(0) | st.integers(100, 699), st.just(0) | st.integers(100, 699), st.booleans())
def test_history(address: NameAddr, index: str, cause: int, left_with: int, hidden: bool) -> None:
    entry = HistoryEntry(address, index, cause, left_with, "mp", index, hidden)
    assert HistoryEntry.parse(str(entry)) == entry


@settings(max_examples=60, deadline=None)
@given(ADDRESSES, st.sampled_from(["calling", "called"]), st.booleans(), st.booleans())
def test_remote_party(address: NameAddr, party: str, screened: bool, hidden: bool) -> None:
    value = RemoteParty(address, party, screened, hidden)
    assert RemoteParty.parse(str(value)) == value


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["SIP", "Q.850", "X-own"]), st.integers(0, 999), st.text(max_size=30))
def test_reason(protocol: str, cause: int, text: str) -> None:
    clean = text.translate({ord(character): None for character in "\r\n\0"}).encode("utf-8", "ignore").decode()
    reason = Reason(protocol, cause, clean)
    assert parse_reason(str(reason)) == reason


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=128), TOKENS, TOKENS)
def test_user_to_user(data: bytes, purpose: str, content: str) -> None:
    value = UserToUser(data, purpose, content)
    assert UserToUser.parse(str(value)) == value


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(HEADER_NAMES, st.text('<>sip:;=@,."\\ index1a%24', max_size=40)), max_size=8))
def test_whatever_stands_there_an_invite_is_read(pairs: list[tuple[str, str]]) -> None:
    read_parties(Request("INVITE", "sip:1@x.test", Headers(pairs)), trusted=True, number_in_to=True)
