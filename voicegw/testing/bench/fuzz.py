"""The long fuzzing: every grammar for its share of the time, from a new seed each time unless one is given.

Ends with the input in hand when anything but RemoteProtocolError comes out of a parser, or when one input takes
longer than a tenth of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.fuzz.grammars import GRAMMARS
from voicegw.testing.fuzz.runner import Fuzzer

_MOST_S: Final = 0.25
_UNLIMITED: Final = 10**12


def main(argv: Sequence[str]) -> int:
    """Fuzz; an exception of a parser ends the run after its input was shown."""
    made = parser("fuzz", "Mutated input for every grammar of SIP and SDP.")
    made.add_argument("--seconds", type=float, default=60.0, help="for all grammars together")
    made.add_argument("--seed", type=int, help="to repeat a run")
    made.add_argument("--grammar", choices=GRAMMARS, help="only this one")
    arguments = made.parse_args(argv)
    seed = int.from_bytes(os.urandom(4), "big") if arguments.seed is None else arguments.seed
    names = [arguments.grammar] if arguments.grammar else list(GRAMMARS)
    show(f"seed {seed}")
    slowest: dict[str, float] = {}
    inputs = 0
    for name in names:
        fuzzer = _fuzz(name, seed, arguments.seconds / len(names))
        inputs += fuzzer.inputs
        slowest[name] = round(fuzzer.slowest_s * 1000, 1)
        show(
            f"{name:16} {fuzzer.inputs:8} inputs, {fuzzer.accepted:8} accepted, slowest {slowest[name]:.1f} ms"
            f" for {len(fuzzer.slowest)} bytes"
        )
    result = {"seed": seed, "inputs": inputs, "slowest_ms": slowest}
    verdicts = {f"no input takes longer than {_MOST_S * 1000:.0f} ms": max(slowest.values()) <= _MOST_S * 1000}
    conclude(result, verdicts, as_json=arguments.json)
    return 0


def _fuzz(name: str, seed: int, seconds: float) -> Fuzzer:
    fuzzer = Fuzzer(GRAMMARS[name], seed)
    done = False
    try:
        fuzzer.run(_UNLIMITED, seconds)
        done = True
    finally:
        if not done:
            show(f"{name}: {fuzzer.latest!r}")
    return fuzzer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
