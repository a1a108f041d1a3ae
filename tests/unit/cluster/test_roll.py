"""The registry of a node's calls is a fold of their facts."""

from __future__ import annotations

from voicegw.base.ids import CallId
from voicegw.call import facts as f
from voicegw.cluster.roll import Absent, Roll
from voicegw.ports.cluster import SharedCall

C1, C2 = CallId("c1"), CallId("c2")
OFFERED = f.CallWasOffered(C1, "sip-1", "100", "200", "", "2026-01-01T00:00:00Z")
ENDED = f.CallHasEnded("caller_hangup", "caller", False, 16, "", 10.0)


def add(roll: Roll, *facts: f.AnyFact, call_id: CallId = C1) -> list[bool]:
    return [roll.add(call_id, f.Entry(seq, 0.0, fact)) for seq, fact in enumerate(facts)]


def test_a_call_tells_what_others_need_to_know() -> None:
    roll = Roll()
    answered = f.CallWasAnswered("PCMA", "192.0.2.1:4000")
    news = add(roll, OFFERED, f.CallWasIntroduced(trunk="t"), f.CallWasRouted("r", "echo"), answered)
    assert all(news)
    assert roll.calls == (SharedCall(C1, "100", "200", "t", "echo", "active", "2026-01-01T00:00:00Z", 3),)
    assert add(roll, f.CallWasHeld(True)) == [False]


def test_changes_are_taken_once_and_can_be_returned() -> None:
    roll = Roll()
    add(roll, OFFERED)
    add(roll, OFFERED, ENDED, call_id=C2)
    changed, gone = roll.take_changes()
    assert ([call.call_id for call in changed], gone) == ([C1], (C2,))
    assert roll.take_changes() == ((), ())
    add(roll, ENDED)
    roll.return_changes(changed, gone)
    changed, gone = roll.take_changes()
    assert (changed, sorted(gone)) == ((), [C1, C2])
    assert not roll.has(C1) and roll.calls == ()


def test_facts_of_a_call_that_began_elsewhere_are_no_call() -> None:
    roll = Roll()
    assert add(roll, f.CallWasRouted("r", "echo"), f.CallWasAnswered("PCMA", "")) == [False, False]
    assert roll.calls == ()


def test_what_is_missing_twice_is_gone() -> None:
    absent = Absent()
    assert absent.look([C1, C2], {C2: 1}) == frozenset()
    assert absent.look([C1, C2], {C1: 1, C2: 1}) == frozenset()
    assert absent.look([C1], {}) == frozenset()
    assert absent.look([C1], {}) == {C1}
    assert absent.look([C1], {}) == frozenset()
