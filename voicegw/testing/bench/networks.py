"""The network bench: what bad networks leave of a caller's words.

Synthetic callers say the sentences of the appointment line by each codec through the network model, into the media
engine and on to the recogniser. Time is a manual clock, so that the figures depend on nothing but the seed: MOS by
the E-model as the record has it, the delay of the jitter buffer, what was concealed, how far the sound is from what
was said, and the word error.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.inference.registry import make_asr
from voicegw.inference.settings import EngineSettings
from voicegw.media import messages as m
from voicegw.media.config import FRAME_SAMPLES
from voicegw.ports.asr import AsrOptions, AsrProvider
from voicegw.testing.bench._bad_line import BadLine
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.bench._sentences import SENTENCES, WORDS, say_by_phone
from voicegw.testing.bench._speech_packets import CODECS, BenchCodec
from voicegw.testing.impairment import CATALOGUE
from voicegw.testing.speech_distance import spectral_distance_db
from voicegw.testing.speech_eval import recognize
from voicegw.testing.word_errors import word_errors

Pcm = NDArray[np.int16]

_DELAY_LIMIT_MS: Final = 220.0
"""The buffer's own limit and what a burst may add for a moment."""


@dataclass(frozen=True, slots=True)
class Row:
    """One codec through one network. ``distance_db``: see :mod:`voicegw.testing.speech_distance`."""

    codec: str
    network: str
    mos: float
    lost_percent: float
    late_percent: float
    concealed_percent: float
    delay_p50_ms: float
    delay_max_ms: float
    distance_db: float
    word_error: float


@dataclass(frozen=True, slots=True)
class _Said:
    """What came of one call."""

    errors: int
    distances: list[float]
    stats: m.LegStats
    delays_ms: list[float]


async def _measure(codec: BenchCodec, seeds: int, folder: Path) -> list[Row]:
    speech = await say_by_phone(SENTENCES, codec.rate_hz)
    asr = make_asr("pocketsphinx", EngineSettings(cache_dir=folder))
    await asr.start()
    try:
        options = AsrOptions(phrases=SENTENCES, sample_rate_hz=codec.rate_hz)
        await asr.prepare(options)
        rows = []
        for name, impairment in CATALOGUE.items():
            lines = [
                await _say(asr, options, BadLine(codec, impairment, seed), speech[voice])
                for seed in range(seeds)
                for voice in speech
            ]
            rows.append(_row(codec.name, name, lines))
            show(_line(rows[-1]))
        return rows
    finally:
        await asr.close()


async def _say(asr: AsrProvider, options: AsrOptions, line: BadLine, speech: list[Pcm]) -> _Said:
    """One call."""
    errors, distances = 0, []
    for text, pcm in zip(SENTENCES, speech, strict=True):
        line.say(pcm)
        distances.append(spectral_distance_db(pcm, line.heard, line.codec.rate_hz))
        final, _ = await recognize(asr, options, bytes(line.for_recognisers), paced=False)
        errors += word_errors(text, final.text)
    return _Said(errors, distances, line.close(), line.delays_ms)


def _row(codec: str, network: str, calls: list[_Said]) -> Row:
    stats = [call.stats for call in calls]
    sent = sum(each.packets_received + each.packets_lost for each in stats)
    delays = [delay for call in calls for delay in call.delays_ms]
    return Row(
        codec,
        network,
        round(float(np.mean([each.mos for each in stats])), 2),
        round(100 * sum(each.packets_lost for each in stats) / sent, 1),
        round(100 * sum(each.packets_late for each in stats) / sent, 1),
        round(100 * sum(each.concealed_samples for each in stats) / FRAME_SAMPLES / sent, 1),
        round(float(np.median(delays))),
        round(max(delays)),
        round(float(np.mean([far for call in calls for far in call.distances])), 2),
        round(100 * sum(call.errors for call in calls) / (len(calls) * WORDS), 1),
    )


_HEAD: Final = (
    "codec  network          MOS  lost %  late %  concealed %  delay ms  max ms  distance dB  word error %"
)


def _line(row: Row) -> str:
    return (
        f"{row.codec:5}  {row.network:15}  {row.mos:.2f}  {row.lost_percent:6.1f}  {row.late_percent:6.1f}  "
        f"{row.concealed_percent:11.1f}  {row.delay_p50_ms:8.0f}  {row.delay_max_ms:6.0f}  "
        f"{row.distance_db:11.2f}  {row.word_error:12.1f}"
    )


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("networks", "MOS and word error behind bad networks.")
    options.add_argument("--seeds", type=int, default=2, help="calls of each voice through each network")
    options.add_argument("--codec", choices=tuple(CODECS), nargs="+", default=tuple(CODECS))
    arguments = options.parse_args(argv)
    show(_HEAD)
    rows: list[Row] = []
    for name in arguments.codec:
        with tempfile.TemporaryDirectory() as folder:
            rows += asyncio.run(_measure(CODECS[name], arguments.seeds, Path(folder)))
    verdicts = {
        "the delay stays within its limit on every network": max(r.delay_max_ms for r in rows) <= _DELAY_LIMIT_MS
    }
    for name in arguments.codec:
        errors = {row.network: row.word_error for row in rows if row.codec == name}
        verdicts[f"3 % of loss cost {name} at most 10 points of word error"] = (
            errors["loss 3 %"] - errors["none"] <= 10
        )
    conclude({"networks": [asdict(row) for row in rows]}, verdicts, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
