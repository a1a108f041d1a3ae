"""One page about one call, for people, from its record."""

from __future__ import annotations

from voicegw.call.facts import TurnWasTimed
from voicegw.call.record import CallRecord, TranscriptLine


def clock(ms: float) -> str:
    """Milliseconds into the call as m:ss.s."""
    minutes, seconds = divmod(ms / 1000, 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def timing_text(timing: TurnWasTimed) -> str:
    """The stages of one answer in a line."""
    return (
        f"answered {timing.total_ms:.0f} ms after their last sound: {timing.endpointing_ms:.0f} end of turn, "
        f"{timing.asr_ms:.0f} recognition, {timing.agent_ms:.0f} agent, {timing.tts_ms:.0f} first "
        f"audio, {timing.playout_ms:.0f} playout"
    )


def transcript_text(line: TranscriptLine) -> str:
    """One line of the transcript."""
    cut = " — (interrupted)" if line.interrupted else ""
    return f"{clock(line.at_ms):>7}  {line.speaker:<6} {line.text}{cut}"


def summary_page(record: CallRecord, comparison: list[tuple[str, str]], problems: list[str]) -> str:
    """The page, in Markdown."""
    offered, ended = record.offered, record.ended
    parts = ["# Summary of a call", ""]
    if offered and ended:
        parts += [
            f"- from {offered.calling} to {offered.called}, {offered.started_at}, {clock(ended.duration_ms)} long",
            f"- route and agent: {record.routed.route if record.routed else '-'}, "
            f"{record.routed.agent if record.routed else '-'}",
            f"- ended by the {ended.side}: {ended.text}",
        ]
    if record.recording:
        parts.append(f"- recording (left the caller, right the agent): {record.recording.path}")
    parts += ["", "## What was said", "", "```"]
    for line in record.transcript:
        parts.append(transcript_text(line))
        if line.timing:
            parts.append(" " * 16 + timing_text(line.timing))
    parts += ["```", "", "## Said and understood", "", "| the caller said | the agent understood |", "|---|---|"]
    parts += [f"| {said} | {understood} |" for said, understood in comparison]
    parts += [
        "",
        f"Understood in the end: {', '.join(f'{k} = {v}' for k, v in record.slots.items()) or 'nothing'}.",
    ]
    for barge_in in record.barge_ins:
        parts.append(
            f"Interrupted by {barge_in.by}: the agent's last packet left {barge_in.stop_ms:.0f} ms after it."
        )
    if media := record.media:
        parts.append(
            f"Packets received {media.packets_received}, lost {media.packets_lost}, late {media.packets_late}, "
            f"jitter {media.jitter_ms:.1f} ms."
        )
    parts += [
        "",
        "## Verdict",
        "",
        *([f"- {problem}" for problem in problems] or ["The conversation took place."]),
        "",
    ]
    return "\n".join(parts)
