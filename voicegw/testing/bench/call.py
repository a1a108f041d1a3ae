"""The call bench: whether a call sounds after hours as at its beginning, and what it costs to keep it.

By default ``--hours`` of calls go through the media engine on a manual clock, past every number of RTP that wraps.
``--real MINUTES`` has sipp call a whole server instead, and send back what it hears.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from voicegw.inference.vad.silero import SileroVad
from voicegw.testing.bench._long_call import LongCall, LongResult, Stretch
from voicegw.testing.bench._real_call import RealCall, Sample, real_call
from voicegw.testing.bench._report import conclude, parser, percentile, show
from voicegw.testing.bench._speech_packets import CODECS

_FRAME_SAMPLES: Final = 160
_FRAME_MS: Final = 20.0
_TICKS_PER_HOUR: Final = 180_000
_WARM_UP_S: Final = 60.0
_EVERY_S: Final = 30.0
_FLAT_KB: Final = 512.0
"""Resident memory that an hour may add: the pages of an allocator are no objects, 180,000 frames would be 30 MB."""
_FLAT_BLOCKS: Final = 2000
"""Blocks of Python's allocator that an hour may add; one object a tick would be 180,000. In the first hours the
interpreter keeps some thousand small ones for use again, and no more after that."""
_REAL_FLAT_KB: Final = 4096.0
"""What all processes of a server may hold more at the end of a real call than a minute after its beginning."""
_STEP_KB: Final = 1024
"""From one look to the next; smaller changes are no step."""
_REPORT_PACKETS: Final = 400
"""Between two reports of ours, 7.5 s at most, and a little more."""


def long_figures(result: LongResult) -> dict[str, object]:
    """The JSON object of calls on the manual clock: lists have a value for each hour (or what was asked for)."""
    names = [stretch.codec for stretch in result.stretches[0]]
    return {
        "hours": [round(hold.hours, 2) for hold in result.holds],
        "rss_mb": [round(hold.rss_kb / 1024, 2) for hold in result.holds],
        "traced_kb": [round(hold.traced_kb, 1) for hold in result.holds],
        "blocks": [hold.blocks for hold in result.holds],
        "events": dict(result.events),
        "calls": {name: _call_figures(result, place, name) for place, name in enumerate(names)},
    }


def _call_figures(result: LongResult, place: int, name: str) -> dict[str, object]:
    stretches, stats = [row[place] for row in result.stretches], result.stats[name]
    in_file, lasted, dropped = result.recorded[name]
    return {
        "heard_ms_p50": [percentile(each.heard_ms, 50) for each in stretches],
        "heard_ms_max": [percentile(each.heard_ms, 100) for each in stretches],
        "said_ms_max": [percentile(each.said_ms, 100) for each in stretches],
        "bursts": sum(len(each.heard_ms) for each in stretches),
        "lost_bursts": sum(each.lost_bursts for each in stretches),
        "gaps_at_the_phone": result.gaps[name],
        "packets": [stats.packets_sent, stats.packets_received, stats.packets_lost, stats.packets_late],
        "refused": stats.packets_rejected + stats.packets_forged + stats.packets_replayed,
        "concealed_percent": round(100 * stats.concealed_samples / _FRAME_SAMPLES / stats.packets_sent, 2),
        "round_trip_ms": round(stats.round_trip_ms, 1),
        "mos": round(stats.mos, 2),
        "srtp": stats.srtp,
        "last_report_behind_packets": result.reported_short[name],
        "recorded_samples": [in_file, lasted, dropped],
    }


def long_verdicts(result: LongResult) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    by_call = [list(rows) for rows in zip(*result.stretches, strict=True)]
    middle, last = result.holds[(len(result.holds) - 1) // 2], result.holds[-1]
    hours = max(last.hours - middle.hours, 1e-9)
    more_kb, more_blocks = (last.rss_kb - middle.rss_kb) / hours, (last.blocks - middle.blocks) / hours
    return {
        "what is heard is as late at the end as at the beginning, within a frame": all(map(_is_steady, by_call)),
        "what is said leaves with the next packet, always": all(
            max(stretch.said_ms) <= _FRAME_MS for rows in by_call for stretch in rows
        ),
        "no packet of ours is missing, torn or out of its place": not any(result.gaps.values()),
        "nothing authentic is refused": not any(
            stats.packets_rejected + stats.packets_forged + stats.packets_replayed
            for stats in result.stats.values()
        ),
        "reports count on past 16 bits": all(
            0 <= short <= _REPORT_PACKETS for short in result.reported_short.values()
        ),
        "recordings have every sample": all(
            in_file == lasted and not dropped for in_file, lasted, dropped in result.recorded.values()
        ),
        f"memory is flat: at most {_FLAT_KB:.0f} kB and {_FLAT_BLOCKS} blocks an hour in the second half": (
            more_kb <= _FLAT_KB and more_blocks <= _FLAT_BLOCKS
        ),
    }


def _is_steady(rows: Sequence[Stretch]) -> bool:
    middles = [percentile(row.heard_ms, 50) for row in rows]
    return max(middles) - min(middles) <= _FRAME_MS


def real_figures(result: RealCall) -> dict[str, object]:
    """The JSON object of a real call."""
    media = result.media
    ways = [way for _, way in result.shifts]
    first, last = _settled(result)
    sent = media.packets_sent if media else 0
    return {
        "seconds": round(result.recorded / 8000, 2),
        "there_and_back_ms_p50": percentile(ways, 50),
        "there_and_back_ms_max": percentile(ways, 100),
        "there_and_back_ms_by_minute": _by_minute(result.shifts),
        "rss_mb": [round(sample.rss_kb / 1024, 1) for sample in (first, last)],
        "anonymous_mb": [round(sample.anonymous_kb / 1024, 1) for sample in (first, last)],
        "anonymous_mb_by_process": _by_process(first, last),
        "steps": _steps(result.samples),
        "descriptors": [first.fds, last.fds],
        "packets": [sent, media.packets_received, media.packets_lost, media.packets_late] if media else [],
        "mos": round(media.mos, 2) if media else 0.0,
        "recording_dropped": result.dropped,
        "recorded_frames_beyond_packets": round(result.recorded / _FRAME_SAMPLES - sent, 1),
        "cause": result.cause,
    }


def _settled(result: RealCall) -> tuple[Sample, Sample]:
    """The first sample after the warm-up, and the last one."""
    settled = [sample for sample in result.samples if sample.at_s >= _WARM_UP_S] or result.samples
    return settled[0], settled[-1]


def _by_process(first: Sample, last: Sample) -> dict[str, list[float]]:
    """What each process held first and last, in MB; a process that is new held nothing."""
    before, after = first.anonymous_by_process(), last.anonymous_by_process()
    return {name: [round(held.get(name, 0) / 1024, 1) for held in (before, after)] for name in before | after}


def _steps(samples: Sequence[Sample]) -> list[str]:
    """When a process held a good deal more, or less, than at the look before."""
    found = []
    for before, after in itertools.pairwise(samples):
        earlier = before.anonymous_by_process()
        for name, held_kb in after.anonymous_by_process().items():
            more_kb = held_kb - earlier.get(name, 0)
            if abs(more_kb) >= _STEP_KB:
                found.append(f"{after.at_s:.0f} s: {name} {more_kb / 1024:+.1f} MB")
    return found


def _by_minute(shifts: Sequence[tuple[float, float]]) -> list[float]:
    """The median of each minute."""
    minutes = sorted({int(at_s // 60) for at_s, _ in shifts})
    return [percentile([way for at_s, way in shifts if at_s // 60 == minute], 50) for minute in minutes]


def real_verdicts(result: RealCall) -> dict[str, bool]:
    """The aims of a real call."""
    first, last = _settled(result)
    minutes = _by_minute(result.shifts)
    frames = result.recorded / _FRAME_SAMPLES - (result.media.packets_sent if result.media else 0)
    return {
        "the call lasts as long as it should": result.passed,
        "the way there and back is as long at the end as at the beginning, within two frames": (
            bool(minutes) and abs(minutes[-1] - minutes[0]) <= 2 * _FRAME_MS
        ),
        f"memory is flat: at most {_REAL_FLAT_KB / 1024:.0f} MB more": (
            last.anonymous_kb - first.anonymous_kb <= _REAL_FLAT_KB
        ),
        "no descriptor more": last.fds <= first.fds,
        "the recording is as long as the call": abs(frames) <= 2 and not result.dropped,
    }


def _run_long(hours: float, codecs: Sequence[str], *, vad: bool, trace: bool) -> LongResult:
    parts = max(1, round(hours))
    show(_LONG_HEAD)
    gc.collect()
    gc.disable()
    if trace:
        tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        call = LongCall(Path(folder), codecs, SileroVad(len(codecs)) if vad else None)
        for _ in range(parts):
            call.run(round(hours * _TICKS_PER_HOUR / parts))
            for line in _long_lines(call.result):
                show(line)
        return call.close()


_LONG_HEAD: Final = "hours  codec  heard ms p50    max  said ms max  bursts  lost  memory MB  traced kB  blocks"


def _long_lines(result: LongResult) -> list[str]:
    hold = result.holds[-1]
    return [
        f"{hold.hours:5.2f}  {each.codec:5}  {percentile(each.heard_ms, 50):12.1f}  "
        f"{percentile(each.heard_ms, 100):5.1f}  {percentile(each.said_ms, 100):11.1f}  {len(each.heard_ms):6}  "
        f"{each.lost_bursts:4}  {hold.rss_kb / 1024:9.2f}  {hold.traced_kb:9.1f}  {hold.blocks:6}"
        for each in result.stretches[-1]
    ]


def _run_real(minutes: float) -> RealCall:
    show("  at s  processes  descriptors  memory MB  no file's  of each process")
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(real_call(Path(folder), minutes * 60, _EVERY_S, lambda sample: show(_line(sample))))
    for text, count in result.complaints.most_common(10):
        show(f"logged: {count} x {text}")
    return result


def _line(sample: Sample) -> str:
    each = ", ".join(f"{name} {kb / 1024:.1f}" for name, kb in sample.anonymous_by_process().items())
    return (
        f"{sample.at_s:6.0f}  {len(sample.uses):9}  {sample.fds:11}  {sample.rss_kb / 1024:9.1f}  "
        f"{sample.anonymous_kb / 1024:9.1f}  {each}"
    )


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("call", "A call that lasts for hours: latency, memory, recording.")
    options.add_argument("--hours", type=float, default=4.0, help="of media time on the manual clock")
    options.add_argument("--codec", choices=tuple(CODECS), nargs="+", default=tuple(CODECS), help="a call by each")
    options.add_argument("--vad", choices=("on", "off"), default="on")
    options.add_argument(
        "--trace", action="store_true", help="count bytes by tracemalloc: takes three times as long"
    )
    options.add_argument("--real", type=float, default=0.0, metavar="MINUTES", help="a real call by sipp instead")
    arguments = options.parse_args(argv)
    if arguments.real:
        real = _run_real(arguments.real)
        found, verdicts = real_figures(real), real_verdicts(real)
    else:
        calls = _run_long(arguments.hours, arguments.codec, vad=arguments.vad == "on", trace=arguments.trace)
        found, verdicts = long_figures(calls), long_verdicts(calls)
    for name, value in found.items():
        show(f"{name:32} {value}")
    conclude(found, verdicts, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
