"""A node whose recogniser, language model and voice are stubs, in a process of its own.

``python -m voicegw.testing.bench._turn_node --config FILE --delays JSON``; ends at SIGTERM, with the account of the
stubs as its last line of log.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from voicegw.agents.llm_agent import LlmAgent
from voicegw.agents.llm_model import LimitsModel, LlmAgentFile
from voicegw.base.log import configure
from voicegw.base.metrics import Counters
from voicegw.config import Config, load_config
from voicegw.runtime.node import Node
from voicegw.testing.stub_house import AGENT, OneModel, assemble
from voicegw.testing.stub_llm import StubLlm
from voicegw.testing.stub_speech import StubAsr, StubLine, StubTts
from voicegw.testing.stub_work import StubWork
from voicegw.turn.speculation import SpeculationConfig

WORK_DONE: Final = "what the stubs did"
"""The message of the last line of log."""
_LINE: Final = StubLine("what are your opening hours", ((0.25, "what are"), (0.6, "what are your opening hours")))
"""Whatever is said: every caller's line is longer than that."""
_GREETING: Final = "Welcome to the bench."
_ANSWER: Final = "Answer {number} begins here. It goes on for a while, so that there is something to interrupt."
"""Never the same twice: what was said before is not made again."""
_FIRST_PIECE_TOKENS: Final = 5
"""With the first word of the second sentence it is certain that the first one is whole and can be spoken."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StubDelays:
    """Milliseconds: from the end of a turn to the final text, from a request to its first token, from one token to
    the next, and from a text to its first audio."""

    final_ms: float = 0.0
    first_token_ms: float = 0.0
    token_ms: float = 1.0
    first_audio_ms: float = 0.0

    @property
    def sum_ms(self) -> float:
        """What a turn takes that does everything one after the other."""
        first_piece_ms = self.first_token_ms + (_FIRST_PIECE_TOKENS - 1) * self.token_ms
        return self.final_ms + first_piece_ms + self.first_audio_ms


class StubNode:
    """The node and its stubs."""

    def __init__(self, config: Config, delays: StubDelays, ledger: Path, *, speculate: bool) -> None:
        numbers = itertools.count(1)
        self.asr = StubAsr(
            [_LINE], final_after_s=delays.final_ms / 1000, slow_final=speculate and delays.final_ms > 0
        )
        self.llm = StubLlm(
            lambda _request: _ANSWER.format(number=next(numbers)),
            first_after_s=delays.first_token_ms / 1000,
            tokens_per_s=1000 / delays.token_ms,
        )
        self.tts = StubTts(delays.first_audio_ms / 1000)
        counters = Counters()
        models = OneModel(self.llm, ledger, counters)
        file = LlmAgentFile(
            kind="llm",
            name=AGENT,
            models=("stub",),
            instructions="Answer.",
            greeting=_GREETING,
            limits=LimitsModel(max_no_input=10),
        )
        turn = replace(config.turn, speculation=SpeculationConfig(enabled=speculate))
        agent = LlmAgent(file, models, None)
        self.node: Node = assemble(config, self.asr, self.tts, models, agent, counters, turn=turn)

    def work(self) -> dict[str, StubWork]:
        """What each stub did."""
        return {"asr_ms": self.asr.work, "llm_tokens": self.llm.work, "tts_ms": self.tts.work}

    async def serve(self, drain_s: float) -> None:
        """Answer calls until SIGTERM."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        try:
            await self.node.start()
            await stop.wait()
            await self.node.drain(drain_s)
        finally:
            await self.node.close()
        log.info(WORK_DONE, extra={name: asdict(work) for name, work in self.work().items()})


def main(argv: Sequence[str]) -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="bench turn node")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--delays", default="{}", help="StubDelays as JSON")
    parser.add_argument("--speculate", action="store_true", help="prepare replies before the turn is over")
    arguments = parser.parse_args(argv)
    config = load_config(arguments.config)
    configure(config.log.level, json_lines=True)
    delays = msgspec.json.decode(arguments.delays, type=StubDelays)
    node = StubNode(config, delays, Path(config.paths.cache) / "tools.sqlite", speculate=arguments.speculate)
    asyncio.run(node.serve(config.limits.drain_s))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
