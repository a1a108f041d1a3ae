"""What the tables say about a call, folded from its facts. Pure: entries in, values of rows out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

from voicegw.call.facts import (
    CallerWasConnected,
    CallWasAnswered,
    ConsentWasRefused,
    Entry,
    MediaWasMeasured,
    SupervisorHasJoined,
    TurnWasTimed,
)
from voicegw.call.record import CallRecord
from voicegw.call.recording_facts import StreamWasAgreed
from voicegw.sip.parties import number_of

Row = dict[str, Any]


@dataclass(slots=True)
class CallFold:
    """One call while its facts arrive. ``first_seen_wall_ms`` stands in for a beginning that was lost."""

    call_id: str
    first_seen_wall_ms: int
    record: CallRecord = field(default_factory=CallRecord)
    timings: list[tuple[float, TurnWasTimed]] = field(default_factory=list)
    answered: CallWasAnswered | None = None
    answered_at_ms: float = 0.0
    last_at_ms: float = 0.0
    others: list[tuple[str, str]] = field(default_factory=list)
    measured: list[MediaWasMeasured] = field(default_factory=list)
    streams: list[StreamWasAgreed] = field(default_factory=list)
    refused: bool = False
    """The caller refused to be recorded."""

    def add(self, entry: Entry) -> None:
        """Take in the next fact."""
        self.record.add(entry.data)
        self.last_at_ms = entry.at_ms
        match entry.data:
            case CallWasAnswered() if self.answered is None:
                self.answered, self.answered_at_ms = entry.data, entry.at_ms
            case CallerWasConnected(uri=uri):
                self.others.append(("callee", uri))
            case StreamWasAgreed():
                self.streams.append(entry.data)
            case SupervisorHasJoined(name=name):
                self.others.append(("supervisor", name))
            case ConsentWasRefused():
                self.refused = True
            case MediaWasMeasured():
                self.measured.append(entry.data)
            case TurnWasTimed():
                self.timings.append((entry.at_ms, entry.data))

    @property
    def ended(self) -> bool:
        """The last fact was there."""
        return self.record.ended is not None

    @property
    def started_wall_ms(self) -> int:
        """When the INVITE came."""
        offered = self.record.offered
        return _wall_ms(offered.started_at, self.first_seen_wall_ms) if offered else self.first_seen_wall_ms

    def summary(self) -> Row:
        """The columns of ``calls`` that are folded."""
        offered, routed, ended = self.record.offered, self.record.routed, self.record.ended
        started = self.started_wall_ms
        totals = [timing.total_ms for _at, timing in self.timings]
        return {
            "sip_call_id": storable(offered.sip_call_id) if offered else "",
            "called": storable(offered.called) if offered else "",
            "calling": storable(offered.calling) if offered else "",
            "display_name": storable(offered.display_name) if offered else "",
            "started_wall_ms": started,
            "answered_wall_ms": started + round(self.answered_at_ms) if self.answered else None,
            "ended_wall_ms": started + round(ended.duration_ms) if ended else None,
            "duration_ms": round(ended.duration_ms) if ended else None,
            "route": storable(routed.route) if routed else "",
            "agent": storable(routed.agent) if routed else "",
            "cause": storable(ended.cause) if ended else "",
            "side": storable(ended.side) if ended else "",
            "failure": ended.failure if ended else False,
            "q850": ended.q850 if ended else 0,
            "caller_turns": len(self.record.caller_turns),
            "barge_ins": len(self.record.barge_ins),
            "response_p50_ms": round(median(totals), 1) if totals else None,
            "has_recording": self.record.recording is not None,
        }

    def legs(self) -> list[Row]:
        """The caller's leg and whoever came to the call, with counters where the media worker told them."""
        left = list(self.measured)
        caller = [self._caller_leg(self.answered, _take(left, "caller", ""))] if self.answered is not None else []
        others = [
            {
                "leg_no": number,
                "role": role,
                "party": storable(party),
                "codec": "",
                "remote": "",
                **_counters(_take(left, role, party if role == "supervisor" else "")),
            }
            for number, (role, party) in enumerate(self.others, start=1)
        ]
        return [*caller, *others, *self._stream_legs(left, len(others) + 1)]

    def _stream_legs(self, left: list[MediaWasMeasured], first: int) -> list[Row]:
        """The streams of a recording session; their party is the number of whoever speaks, where that is known."""
        return [
            {
                "leg_no": number,
                "role": "stream",
                "party": storable(self._who_speaks(stream.label)),
                "codec": storable(stream.codec),
                "remote": storable(stream.remote),
                **_counters(_take(left, "stream", stream.label)),
            }
            for number, stream in enumerate(self.streams, start=first)
        ]

    def _who_speaks(self, label: str) -> str:
        described = self.record.described
        speakers = [one for one in described.participants if label in one.speaks_in] if described else []
        if len(speakers) != 1:
            return label
        return number_of(speakers[0].aor) or speakers[0].name or label

    def _caller_leg(self, answered: CallWasAnswered, media: MediaWasMeasured | None) -> Row:
        offered = self.record.offered
        return {
            "leg_no": 0,
            "role": "caller",
            "party": storable(offered.calling) if offered else "",
            "codec": storable(answered.codec),
            "remote": storable(answered.remote),
            **_counters(media),
        }

    def transcript(self) -> list[Row]:
        """Its lines in the order in which they were said."""
        lines = sorted(self.record.transcript, key=lambda line: line.at_ms)
        return [
            {
                "line_no": number,
                "at_ms": line.at_ms,
                "speaker": storable(line.speaker),
                "text": storable(line.text),
                "interrupted": line.interrupted,
            }
            for number, line in enumerate(lines)
        ]

    def turns(self) -> list[Row]:
        """The timings of its turns."""
        return [
            {
                "turn_no": number,
                "at_ms": at_ms,
                "endpointing_ms": timing.endpointing_ms,
                "asr_ms": timing.asr_ms,
                "agent_ms": timing.agent_ms,
                "tts_ms": timing.tts_ms,
                "playout_ms": timing.playout_ms,
                "total_ms": timing.total_ms,
            }
            for number, (at_ms, timing) in enumerate(self.timings)
        ]

    def recordings(self) -> list[Row]:
        """Its recording, if there is one."""
        found = self.record.recording
        if found is None:
            return []
        made = self.started_wall_ms + round(self.last_at_ms)
        counts = {"samples": found.samples, "dropped_samples": found.dropped_samples}
        return [{"path": storable(found.path), **counts, "made_wall_ms": made, "deleted_wall_ms": None}]

    def words(self) -> str:
        """Everything that the call may be found by."""
        offered = self.record.offered
        parties = [offered.called, offered.calling, offered.display_name] if offered else []
        described = self.record.described
        recorded = [text for one in described.participants for text in (one.aor, one.name)] if described else []
        said = [line.text for line in self.record.transcript]
        return storable(" ".join([*parties, *recorded, *said, *self.record.slots.values()]))


def _take(left: list[MediaWasMeasured], role: str, party: str) -> MediaWasMeasured | None:
    """The first measurement of such a leg that no other leg has. Calls of before did not tell whose a leg was."""
    for one in left:
        if one.leg == role and one.party in (party, ""):
            left.remove(one)
            return one
    return None


def _counters(media: MediaWasMeasured | None) -> Row:
    names = ("packets_sent", "packets_received", "packets_lost", "packets_late", "jitter_ms")
    known: Row = {name: getattr(media, name) if media else None for name in names}
    known["mos"] = media.mos if media and media.mos > 0 else None
    known["peer_mos"] = media.peer_mos if media and media.peer_mos > 0 else None
    for name in ("round_trip_ms", "peer_lost", "peer_jitter_ms"):
        value = getattr(media, name) if media else -1
        known[name] = value if value >= 0 else None
    return known


def storable(text: str) -> str:
    """Text as every database takes it: PostgreSQL refuses NUL, and no encoding has lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _wall_ms(started_at: str, otherwise: int) -> int:
    try:
        moment = datetime.fromisoformat(started_at)
    except ValueError:
        return otherwise
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
