"""The relay bench: what bad networks leave of calls by baresip, in both directions, on real sockets.

A caller says the sentences of the appointment line in two voices, and the agent of a server as it ships says them
at the same time. Audio and reports go through :class:`~voicegw.testing.impairment_relay.ImpairmentRelay`, those of
each call through another network. What we heard is in the recording, what the caller heard is what came out of
baresip's decoder: each is compared with what was said, and recognised. MOS, losses and late packets are those of
the call's record, the delay is by the relay's clock. What is lost depends on the seed alone; what a busy machine
delays is in the figures.
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

from voicegw.audio.resample import resample
from voicegw.base.errors import LocalError
from voicegw.inference.registry import make_asr
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrOptions, AsrProvider
from voicegw.testing.bench._baresip import CODECS, PhoneCodec
from voicegw.testing.bench._found_speech import Piece, cut_out, find, find_sent, in_a_row
from voicegw.testing.bench._own_network import again_inside, is_inside
from voicegw.testing.bench._relay_calls import ADDRESSES, RelayedCall, RelayedCalls
from voicegw.testing.bench._relay_rows import HEAD, Measured, Row, Words, line, markdown, row_of, verdicts
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.bench._sentences import SENTENCES, VOICES, say, say_by_phone
from voicegw.testing.impairment import CATALOGUE
from voicegw.testing.speech_distance import spectral_distance_db
from voicegw.testing.speech_eval import recognize
from voicegw.testing.word_errors import word_errors

Pcm = NDArray[np.int16]

_MODULE: Final = "voicegw.testing.bench.relay"
_TIMES: Final = len(VOICES)
"""How often the agent says its sentences in a call: as often as the caller does."""
_MEANWHILE: Final = "The caller has still something to say."
"""What the agent says until then, as callers make longer pauses: once for each two sentences."""
_RECOGNISERS: Final = 2
_SILENCE_S: Final = 40.0
"""Behind what the caller says: longer than the call."""


@dataclass(frozen=True, slots=True)
class _Plan:
    codecs: Sequence[str]
    networks: Sequence[str]
    rounds: int
    sentences: Sequence[str]


class _Bench:
    """One codec."""

    def __init__(self, codec: PhoneCodec, calls: RelayedCalls, asr: AsrProvider, sentences: Sequence[str]) -> None:
        self._codec, self._calls, self._asr, self._sentences = codec, calls, asr, sentences
        self._free = asyncio.Semaphore(_RECOGNISERS)
        self._options = AsrOptions(phrases=SENTENCES, sample_rate_hz=codec.call_hz)

    async def measure(self, networks: Sequence[str], rounds: int) -> list[Row]:
        """Rows of all networks; each round has another voice of the agent and other losses."""
        rate = self._codec.call_hz
        await self._asr.prepare(self._options)
        by_phone = await say_by_phone(self._sentences, rate)
        sentences = [pair for voice in VOICES for pair in zip(self._sentences, by_phone[voice], strict=True)]
        said, pieces = in_a_row(sentences, rate)
        by_baresip = resample(np.pad(said, (0, round(_SILENCE_S * rate))), rate, self._codec.rate_hz)
        agents = await say([_written(text) for text in self._sentences], rate)
        measured: dict[str, list[Measured]] = {name: [] for name in networks}
        for number in range(rounds):
            voice = VOICES[number % len(VOICES)]
            calls = await self._call(voice, by_baresip, number)
            judged = [self._judge(call, said, pieces, agents[voice]) for call in calls]
            for each in await asyncio.gather(*judged):
                measured[each.call.network].append(each)
        rows = [row_of(self._codec.name, name, measured[name]) for name in networks]
        for row in rows:
            show(line(row))
        return rows

    async def _call(self, voice: str, speech: Pcm, seed: int) -> list[RelayedCall]:
        """All calls of a round; once more if one of them fails, so that a long run is not lost."""
        try:
            return await self._calls.run(self._codec, voice, speech, seed)
        except LocalError as error:
            show(f"once more, as a call failed: {error}")
            return await self._calls.run(self._codec, voice, speech, seed)

    async def _judge(self, call: RelayedCall, said: Pcm, pieces: Sequence[Piece], agent: Sequence[Pcm]) -> Measured:
        rate = self._codec.call_hz
        starts = find(pieces, said, call.caller, rate)
        if starts[-1] + len(pieces[-1].pcm) > len(call.caller):
            raise LocalError("the call ended before the caller had said everything")
        ways = [
            1000 * (start / rate - piece.start / rate - call.said_after_s)
            for start, piece in zip(starts, pieces, strict=True)
        ]
        there = await self._words(pieces, starts, call.caller)
        spoken = find_sent([*zip(self._sentences, agent, strict=True)] * _TIMES, call.agent, rate)
        if 2 * len(spoken) < len(pieces):
            raise LocalError(f"of {len(pieces)} sentences the agent has said {len(spoken)} in one piece")
        back = await self._words(spoken, find(spoken, call.agent, call.heard, rate), call.heard)
        return Measured(call, there, back, tuple(ways))

    async def _words(self, pieces: Sequence[Piece], starts: Sequence[int], heard: Pcm) -> Words:
        rate, misheard, distances = self._codec.call_hz, 0, []
        for piece, start in zip(pieces, starts, strict=True):
            sound = cut_out(heard, start, len(piece.pcm), rate)
            distances.append(spectral_distance_db(piece.pcm, sound, rate))
            async with self._free:
                final, _ = await recognize(self._asr, self._options, sound.tobytes(), paced=False)
            misheard += word_errors(piece.text, final.text)
        return Words(sum(len(piece.text.split()) for piece in pieces), misheard, tuple(distances))


def _written(sentence: str) -> str:
    return f"{sentence.capitalize()}."


async def _run(plan: _Plan, home: Path) -> list[Row]:
    said = [_written(text) for text in plan.sentences] * _TIMES
    calls = RelayedCalls(home / "server", [*said, *[_MEANWHILE] * (len(said) // 2)], VOICES, plan.networks)
    asr = make_asr("pocketsphinx", EngineSettings(_RECOGNISERS, home / "asr"))
    await asr.start()
    try:
        rows = []
        for name in plan.codecs:
            rows += await _Bench(CODECS[name], calls, asr, plan.sentences).measure(plan.networks, plan.rounds)
        return rows
    finally:
        await asr.close()


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("relay", "MOS and word error of real calls by baresip behind bad networks, both ways.")
    options.add_argument("--codec", choices=tuple(CODECS), nargs="+", default=tuple(CODECS))
    options.add_argument("--network", choices=tuple(CATALOGUE), nargs="+", default=tuple(CATALOGUE))
    options.add_argument("--rounds", type=int, default=2, help="calls of each codec through each network")
    options.add_argument("--sentences", type=int, default=len(SENTENCES), help="so many of the six")
    options.add_argument("--markdown", action="store_true", help="the table of docs/media.md, too")
    arguments = options.parse_args(argv)
    if not is_inside():
        return again_inside(_MODULE, argv, ADDRESSES)
    plan = _Plan(arguments.codec, arguments.network, arguments.rounds, SENTENCES[: arguments.sentences])
    show(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_run(plan, Path(folder)))
    if arguments.markdown:
        show(markdown(rows))
    conclude({"relay": [asdict(row) for row in rows]}, verdicts(rows), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
