"""The record of a call with other people in it."""

from __future__ import annotations

from voicegw.base.ids import UtteranceId
from voicegw.call import facts as f
from voicegw.call.record import fold


def test_a_transcript_names_supervisors_and_what_the_caller_did_not_hear() -> None:
    story: list[f.AnyFact] = [
        f.AgentSpoke(UtteranceId("u"), "Hello.", "Hello.", True, False, 0.0, 500.0),
        f.SupervisorSpoke("Ada", "agent", "be brief", 700.0, 900.0),
        f.SupervisorSpoke("Ada", "caller", "this is Ada", 1500.0, 1900.0),
        f.CallerSpoke("hi", 0.9, "", 1000.0, 1200.0),
        f.TransferHasBegun("bridged", "desk", "sip:desk@192.0.2.7", ""),
        f.MediaWasMeasured(1, 2, 0, 0, 0, 0.0, "callee"),
        f.MediaWasMeasured(9, 9, 0, 0, 0, 0.0),
    ]
    record = fold(f.Entry(seq, 0.0, fact) for seq, fact in enumerate(story))
    lines = [(line.speaker, line.text) for line in record.transcript]
    assert lines == [("agent", "Hello."), ("whisper", "be brief"), ("caller", "hi"), ("supervisor", "this is Ada")]
    assert record.transfers == ["desk"]
    assert record.media is not None and record.media.packets_sent == 9


def test_every_new_fact_survives_its_line() -> None:
    for fact in (
        f.TransferHasProgressed("ringing", 180),
        f.TransferHasFailed("busy", 486),
        f.CallerWasConnected("desk", "sip:desk@192.0.2.7"),
        f.CallerWasMoved("desk", "sip:desk@192.0.2.7"),
        f.AnnouncementWasMade("target", "A late order."),
        f.SupervisorHasJoined("Ada"),
        f.SupervisorModeHasChanged("Ada", "barge", 12.5),
        f.SupervisorHasLeft("Ada", "caller_hangup", True),
        f.CallWasOrdered("Ada", "move", "desk"),
    ):
        entry = f.Entry(1, 2.0, fact)
        assert f.decode_entry(f.encode_entry(entry)) == entry
