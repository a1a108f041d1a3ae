"""The media bench: what a leg costs in the media worker, how evenly packets leave, and how it scales and lasts.

Four parts, each in a file of its own: rows of a real worker under a load of N legs (``_media_row``) with the line
of cost through them (``_media_line``), two workers against one (``_media_pair``), the growth of memory
(``_media_growth``), and an hour of clocks that differ (``_media_drift``).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Final

from voicegw.testing.bench import _media_aims as aims
from voicegw.testing.bench._media_drift import deadline_drift_us, measure_drift
from voicegw.testing.bench._media_growth import measure_growth
from voicegw.testing.bench._media_line import cost_lines
from voicegw.testing.bench._media_pair import measure_pair
from voicegw.testing.bench._media_rig import Load
from voicegw.testing.bench._media_row import HEAD, Row, measure
from voicegw.testing.bench._report import conclude, show
from voicegw.testing.bench._report import parser as make_parser
from voicegw.testing.bench._rtp_batches import SUITE
from voicegw.testing.bench._speech_packets import CODECS, make_speech

_LEGS: Final = (100, 200, 300)
_WAYS: Final = {"on": (True,), "off": (False,), "both": (False, True)}
_STANDARD: Final = (
    *(("PCMU", False, False, legs) for legs in (100, 200, 300, 400)),
    *(
        (codec, True, srtp, legs)
        for codec in ("PCMU", "PCMA")
        for srtp in (False, True)
        for legs in (100, 200, 300, 400)
    ),
    *(
        (codec, True, srtp, legs)
        for codec in ("G722", "G722c")
        for srtp in (False, True)
        for legs in (50, 100, 200, 400)
    ),
    *(("opus", True, srtp, legs) for srtp in (False, True) for legs in (15, 30, 60, 100, 200, 400)),
)
"""Codec, VAD, SRTP, legs: what each kind carries, enough for its line, and what happens beyond."""


def _loads(arguments: argparse.Namespace) -> list[Load]:
    """The rows that are asked for; without any wish the standard ones."""
    wishes = (arguments.codec, arguments.vad, arguments.srtp, arguments.legs)
    kinds = product(
        arguments.codec or ("PCMU",),
        _WAYS[arguments.vad or "both"],
        _WAYS[arguments.srtp or "off"],
        arguments.legs or _LEGS,
    )
    chosen = kinds if any(wishes) else _STANDARD
    return [Load(CODECS[codec], legs, vad, srtp) for codec, vad, srtp, legs in chosen]


def _measure_rows(loads: Sequence[Load], seconds: float) -> list[Row]:
    rows: list[Row] = []
    show(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        speech = {load.codec: make_speech(Path(folder), load.codec) for load in loads}
        for load in loads:
            rows.append(asyncio.run(measure(load, seconds, speech[load.codec])))
            show(rows[-1].line())
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("media", "CPU, timing, scaling and memory of the media worker.")
    parser.add_argument("--legs", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time of each row")
    parser.add_argument("--srtp", choices=tuple(_WAYS), help=SUITE)
    parser.add_argument("--codec", choices=tuple(CODECS), nargs="+")
    parser.add_argument("--vad", choices=tuple(_WAYS))
    parser.add_argument("--no-rows", action="store_true", help="only what the options below ask for")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2, help="2: compare two with one")
    parser.add_argument("--worker-legs", type=int, default=100, help="of each worker of that comparison")
    parser.add_argument("--growth-ticks", type=int, default=20_000, help="watch memory for so long; 0: do not")
    parser.add_argument("--drift-minutes", type=int, default=60, help="of media time, 3 or more; 0: do not")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    arguments = _parser().parse_args(argv)
    rows = [] if arguments.no_rows else _measure_rows(_loads(arguments), arguments.seconds)
    lines = cost_lines(rows)
    verdicts = aims.row_verdicts(rows, lines)
    result: dict[str, object] = {"legs": [asdict(row) for row in rows], "lines": [asdict(line) for line in lines]}
    for line in lines:
        show(line.text())
    if arguments.workers > 1 and (pair := measure_pair("PCMU", arguments.worker_legs)) is not None:
        show(pair.text())
        verdicts |= aims.pair_verdicts(pair)
        result["workers"] = asdict(pair)
    if arguments.growth_ticks:
        growth = measure_growth(arguments.growth_ticks)
        show(growth.text())
        verdicts |= aims.growth_verdicts(growth)
        result["growth"] = asdict(growth)
    if arguments.drift_minutes:
        drifts, deadline_us = measure_drift(arguments.drift_minutes), deadline_drift_us(arguments.drift_minutes)
        for drift in drifts:
            show(drift.text())
        show(f"deadlines of the ticks: {deadline_us:+.3f} us from where they belong")
        verdicts |= aims.drift_verdicts(drifts, deadline_us)
        result |= {"drift": [asdict(drift) for drift in drifts], "deadline_drift_us": deadline_us}
    conclude(result, verdicts, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
