"""The catalogue of causes: complete, without dead rows, and told in docs/causes.md as it is."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from voicegw.base.causes import HangupCause, Side, cause_of_refusal, cause_of_release
from voicegw.call.transfer_request import TransferFailure, failure_of
from voicegw.gateway.leg_causes import cause_of, refusal_status
from voicegw.sip.events import CallEnded, EndedBy, SipCallHandle
from voicegw.sip.message import Headers
from voicegw.sip.reason import parse_reason

ROOT = Path(__file__).parents[3]
HEAD = ("cause", "SIP", "Q.850", "side", "failed", "what happened", "the caller hears")


def table() -> list[str]:
    """The catalogue as the table of docs/causes.md."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for cause in HangupCause:
        row = cause.value
        failed = "yes" if row.failure else "no"
        rows.append(
            (
                f"`{row.name}`",
                str(row.sip_status),
                str(row.q850),
                row.side.value,
                failed,
                row.text,
                row.heard.value,
            )
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def statuses() -> list[str]:
    """What the answers to our calls mean, as the second table of docs/causes.md."""
    found: dict[HangupCause, list[int]] = {}
    for status in range(300, 700):
        found.setdefault(cause_of_refusal(status), []).append(status)
    rows = [("answer", "cause"), ("---", "---")]
    for cause, members in found.items():
        kind = {group for status in members if (group := status // 100)}
        whole = len(members) > 50
        shown = (
            f"every other {', '.join(f'{one}xx' for one in sorted(kind))}"
            if whole
            else ", ".join(map(str, members))
        )
        rows.append((shown, f"`{cause.value.name}`"))
    return [f"| {' | '.join(row)} |" for row in rows]


def test_the_documentation_is_the_catalogue() -> None:
    text = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines == [*table(), *statuses()]


def test_no_row_is_dead() -> None:
    sources = [path for path in (ROOT / "voicegw").rglob("*.py") if path.name != "causes.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    peers = {cause_of_refusal(status) for status in range(300, 700)} | {cause_of_release(38)}
    assert [
        cause.name for cause in HangupCause if f"HangupCause.{cause.name}" not in text and cause not in peers
    ] == []


@pytest.mark.parametrize("cause", HangupCause)
def test_every_row_is_sound(cause: HangupCause) -> None:
    row = cause.value
    assert row.name == cause.name.lower()
    assert 1 <= row.q850 <= 127
    assert row.sip_status == 200 or 400 <= row.sip_status <= 699
    assert 400 <= refusal_status(cause) <= 699
    assert not (row.failure and row.sip_status == 200)
    reason = parse_reason(cause.reason_header)
    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", row.q850, row.text)


def test_names_are_single() -> None:
    assert len({cause.value.name for cause in HangupCause}) == len(HangupCause)


def test_every_refusal_has_a_cause_that_failed() -> None:
    for status, q850 in product(range(300, 700), range(128)):
        cause = cause_of_refusal(status, q850).value
        assert cause.failure
        assert cause.side in (Side.CALLEE, Side.NETWORK, Side.CALLER, Side.OPERATOR)


@pytest.mark.parametrize(
    ("status", "q850", "cause"),
    [
        (302, 0, HangupCause.PEER_MOVED),
        (302, 17, HangupCause.PEER_MOVED),
        (403, 0, HangupCause.PEER_FORBIDS),
        (404, 16, HangupCause.NUMBER_UNKNOWN),
        (480, 17, HangupCause.PEER_BUSY),
        (486, 1, HangupCause.PEER_BUSY),
        (503, 0, HangupCause.PEER_OVERLOADED),
        (503, 1, HangupCause.NUMBER_UNKNOWN),
        (503, 38, HangupCause.PEER_FAILED),
        (603, 21, HangupCause.PEER_REJECTED),
        (608, 0, HangupCause.UNWANTED),
        (699, 0, HangupCause.PEER_REJECTED),
        (499, 28, HangupCause.NUMBER_INCOMPLETE),
    ],
)
def test_the_more_exact_of_two_counts(status: int, q850: int, cause: HangupCause) -> None:
    assert cause_of_refusal(status, q850) is cause


@pytest.mark.parametrize("ended_by", EndedBy)
def test_every_end_of_a_leg_has_a_cause(ended_by: EndedBy) -> None:
    for status, ours in product((0, 404), (None, HangupCause.AGENT_HANGUP)):
        ended = CallEnded(SipCallHandle(1), ended_by, status, "", Headers())
        assert isinstance(cause_of(ended, ours), HangupCause)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Q.850;cause=16", HangupCause.CALLER_HANGUP),
        ("SIP;cause=200", HangupCause.CALLER_HANGUP),
        ("Q.850;cause=38", HangupCause.NETWORK_RELEASED),
        ("SIP;cause=500, Q.850;cause=41", HangupCause.NETWORK_RELEASED),
    ],
)
def test_a_bye_of_the_network_is_no_hangup_of_a_person(reason: str, cause: HangupCause) -> None:
    ended = CallEnded(SipCallHandle(1), EndedBy.REMOTE_BYE, headers=Headers([("Reason", reason)]))
    assert cause_of(ended, None) is cause


def test_every_failed_transfer_has_a_reason_for_the_agent() -> None:
    for cause in HangupCause:
        assert isinstance(failure_of(cause, 0), TransferFailure)
    assert failure_of(HangupCause.TRUNK_FULL, 0) is TransferFailure.NOT_POSSIBLE
    assert failure_of(HangupCause.NAME_NOT_FOUND, 0) is TransferFailure.UNREACHABLE
