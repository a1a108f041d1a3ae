"""The turn bench: how long a caller waits for an answer, and how long an interrupted agent goes on.

A telephone of its own process talks with a node over real RTP and dates what it sends and hears at the wire. From
the last audible sample of the caller to the first audible packet of the agent is one turn; what the node wrote down
about it splits it into stages. ``added`` is the whole less the silence that the endpointing waits for on purpose. A
barge-in counts from the caller's first audible sample to the last packet that is not digital silence.

With ``--stubs`` recogniser, language model and voice are stubs of fixed delay. With ``--back-channels`` callers
say "mm-hm", cough, and interrupt: who stops the agent that should not, and who does not that should.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from voicegw.testing.bench import _turn_engines, _turn_floor, _turn_stubs
from voicegw.testing.bench._report import conclude, parser
from voicegw.testing.bench._turn_calls import Load

_FEW: Final = 2
"""Lines of the call that does not count, where there is nothing to warm up but the code."""


def _engines(home: Path, arguments: argparse.Namespace) -> None:
    result = asyncio.run(_turn_engines.measure(home, _load(arguments, arguments.lines)))
    _turn_engines.show_stages(result)
    conclude(_turn_engines.figures(result), _turn_engines.verdicts(result), as_json=arguments.json)


def _stubs(home: Path, arguments: argparse.Namespace) -> None:
    outcomes = asyncio.run(_turn_stubs.measure(home, _load(arguments, _FEW)))
    _turn_stubs.show_table(outcomes)
    conclude(_turn_stubs.figures(outcomes), _turn_stubs.verdicts(outcomes), as_json=arguments.json)


def _floor(home: Path, arguments: argparse.Namespace) -> None:
    rows = asyncio.run(_turn_floor.measure(home, arguments.parallel, arguments.sounds))
    _turn_floor.show_table(rows)
    conclude(_turn_floor.figures(rows), _turn_floor.verdicts(rows), as_json=arguments.json)


def _load(arguments: argparse.Namespace, warm_up_lines: int) -> Load:
    return Load(arguments.calls, arguments.parallel, arguments.lines, warm_up_lines)


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("turn", "Answer time and barge-in over real RTP.")
    kinds = options.add_mutually_exclusive_group()
    kinds.add_argument("--stubs", action="store_true", help="engines of fixed delay, with and without speculation")
    kinds.add_argument("--back-channels", action="store_true", help="who stops the agent, and who should")
    options.add_argument("--calls", type=int, default=4, help="besides one that does not count")
    options.add_argument("--parallel", type=int, default=0, help="calls at a time; 2, or 6 with --back-channels")
    options.add_argument("--lines", type=int, default=13, help="what a caller says in a call")
    options.add_argument("--sounds", type=int, default=0, help="with --back-channels: only so many")
    arguments = options.parse_args(argv)
    arguments.parallel = arguments.parallel or (6 if arguments.back_channels else 2)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.stubs:
            _stubs(Path(folder), arguments)
        elif arguments.back_channels:
            _floor(Path(folder), arguments)
        else:
            _engines(Path(folder), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
