"""voicegw as it is compared: everything as it ships, with stubs for what recognises, thinks and speaks.

``python -m voicegw.testing.bench.rivals.house --config FILE``; ends at SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from voicegw.agents.llm_agent import LlmAgent
from voicegw.agents.llm_model import LlmAgentFile
from voicegw.base.log import configure
from voicegw.base.metrics import Counters
from voicegw.config import Config, load_config
from voicegw.runtime.node import Node
from voicegw.testing.bench.rivals.work import ASR_S, GREETING, HEARD, LLM_S, REPLY, TTS_S
from voicegw.testing.stub_house import AGENT, OneModel, assemble
from voicegw.testing.stub_llm import StubLlm
from voicegw.testing.stub_speech import StubAsr, StubLine, StubTts

_WHOLE_S = 0.6
"""Into an utterance its recogniser's partial text is whole, as with any streaming recogniser."""


def make_node(config: Config) -> Node:
    """The node, not started."""
    numbers = itertools.count(1)
    asr = StubAsr([StubLine(HEARD, ((_WHOLE_S, HEARD),))], final_after_s=ASR_S)
    model = StubLlm(lambda _request: REPLY.format(number=next(numbers)), first_after_s=LLM_S)
    counters = Counters()
    models = OneModel(model, Path(config.paths.cache) / "tools.sqlite", counters)
    file = LlmAgentFile(kind="llm", name=AGENT, models=("stub",), instructions="Answer.", greeting=GREETING)
    return assemble(config, asr, StubTts(TTS_S), models, LlmAgent(file, models, None), counters)


async def serve(node: Node, drain_s: float) -> None:
    """Answer calls until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        await node.start()
        await stop.wait()
        await node.drain(drain_s)
    finally:
        await node.close()


def main(argv: Sequence[str]) -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="bench peers house")
    parser.add_argument("--config", type=Path, required=True)
    config = load_config(parser.parse_args(argv).config)
    configure(config.log.level, json_lines=True)
    asyncio.run(serve(make_node(config), config.limits.drain_s))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
