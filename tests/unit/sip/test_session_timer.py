"""What is agreed about session timers (RFC 4028 §7 to §9), case by case."""

from __future__ import annotations

import pytest

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.sip.message import Headers
from voicegw.sip.session_timer import (
    Refresher,
    SessionExpires,
    SessionTimer,
    SessionTimerPolicy,
    agreed,
    granted,
    is_too_brief,
    knows_timer,
    offered,
)

HALF_AN_HOUR = SessionTimerPolicy()
NONE = SessionTimerPolicy(session_expires_s=0)


def headers(*lines: str) -> Headers:
    return Headers((name, value) for name, _, value in (line.partition(": ") for line in lines))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("1800", SessionExpires(1800)),
        (" 90 ;refresher=uas", SessionExpires(90, Refresher.UAS)),
        ("4000;Refresher=UAC;x=y", SessionExpires(4000, Refresher.UAC)),
    ],
)
def test_session_expires_is_read_and_written(text: str, parsed: SessionExpires) -> None:
    assert SessionExpires.parse(text) == parsed
    assert SessionExpires.parse(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["", "soon", "-90", "1800;refresher=proxy", "99999999999", "1800 seconds"])
def test_what_is_no_session_expires(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        SessionExpires.parse(text)
    assert granted(headers("Supported: timer", f"Session-Expires: {text}"), NONE) == (None, ())


def test_times_of_refresh_and_of_giving_up() -> None:
    long, brief = SessionTimer(1800, True, True), SessionTimer(90, True, True)
    assert (long.refresh_s, long.expiry_s) == (900, 1768)
    assert (brief.refresh_s, brief.expiry_s) == (45, 60)


@pytest.mark.parametrize(
    ("asked", "interval", "ours", "answer"),
    [
        ((), 1800, True, "1800;refresher=uas"),
        (("Supported: timer",), 1800, True, "1800;refresher=uas"),
        (("Session-Expires: 600",), 600, True, "600;refresher=uas"),
        (("Supported: timer", "Session-Expires: 600"), 600, True, "600;refresher=uas"),
        (("Supported: timer", "Session-Expires: 600;refresher=uac"), 600, False, "600;refresher=uac"),
        (("Supported: timer", "x: 600;refresher=uas"), 600, True, "600;refresher=uas"),
        (("k: 100rel, timer", "Session-Expires: 7200;refresher=uac"), 1800, False, "1800;refresher=uac"),
        (("Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"), 3600, True, "3600;refresher=uas"),
    ],
)
def test_the_answer_follows_table_2(asked: tuple[str, ...], interval: int, ours: bool, answer: str) -> None:
    knows = any("timer" in line for line in asked)
    timer, pairs = granted(headers(*asked), HALF_AN_HOUR)
    assert timer == SessionTimer(interval, ours, knows)
    assert dict(pairs)["Session-Expires"] == answer
    assert dict(pairs).get("Require") == ("timer" if knows else None), "who is to act on it must understand it"


def test_without_a_wish_of_either_side_nothing_expires() -> None:
    assert granted(headers("Supported: timer"), NONE) == (None, ())
    timer, _ = granted(headers("Supported: timer", "Session-Expires: 300"), NONE)
    assert timer == SessionTimer(300, True, True), "a peer that asks gets it all the same"


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (("Supported: timer", "Session-Expires: 89"), True),
        (("Supported: timer", "Session-Expires: 90"), False),
        (("Supported: timer",), False),
        (("Session-Expires: 10",), False),
    ],
)
def test_422_is_for_those_who_can_do_better(lines: tuple[str, ...], refused: bool) -> None:
    assert is_too_brief(headers(*lines), HALF_AN_HOUR) is refused


def test_what_we_ask_for() -> None:
    assert offered(HALF_AN_HOUR, None, 0) == (("Session-Expires", "1800"),)
    assert offered(NONE, None, 0) == ()
    assert offered(HALF_AN_HOUR, None, 3600) == (("Session-Expires", "3600"), ("Min-SE", "3600"))
    assert offered(NONE, SessionTimer(300, True, True), 0) == (("Session-Expires", "300;refresher=uac"),)
    assert offered(HALF_AN_HOUR, SessionTimer(300, False, True), 0) == (("Session-Expires", "300;refresher=uas"),)
    strict = SessionTimerPolicy(1800, 600)
    assert offered(strict, None, 0) == (("Session-Expires", "1800"), ("Min-SE", "600"))


def test_what_a_2xx_agrees() -> None:
    ours = SessionTimer(1800, True, True)
    assert agreed(headers("Require: timer", "Session-Expires: 600;refresher=uas"), HALF_AN_HOUR, None) == (
        SessionTimer(600, False, True)
    )
    assert agreed(headers("Session-Expires: 600"), HALF_AN_HOUR, None) == SessionTimer(600, True, False)
    assert agreed(headers("Session-Expires: 3;refresher=uac"), HALF_AN_HOUR, None) == SessionTimer(90, True, False)
    assert agreed(headers(), HALF_AN_HOUR, None) is None
    assert agreed(headers(), HALF_AN_HOUR, ours) is None, "switched off in mid-dialog"
    alone = SessionTimer(1800, True, False)
    assert agreed(headers(), HALF_AN_HOUR, alone) == alone, "a peer without timers never repeats the header"


def test_what_cannot_work_is_refused_at_load() -> None:
    for values in ((60, 90), (1800, 1), (-5, 90), (2**31, 90)):
        with pytest.raises(ConfigError):
            SessionTimerPolicy(*values)


def test_option_tags_compare_without_case() -> None:
    assert knows_timer(headers("Supported: 100rel, TIMER"))
    assert not knows_timer(headers("Supported: timers"))
