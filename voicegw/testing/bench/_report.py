"""How benches report: a verdict on each aim for people, and one JSON object as the last line for machines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

import numpy as np


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with the option that all benches have."""
    made = argparse.ArgumentParser(prog=f"bench {name}", description=description)
    made.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return made


def show(text: str) -> None:
    """A line for people, at once: a bench takes minutes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def conclude(result: Mapping[str, object], verdicts: Mapping[str, bool], *, as_json: bool) -> None:
    """Say of each aim whether it was met; with ``as_json`` end with ``result`` and the verdicts as one object."""
    for aim, met in verdicts.items():
        show(f"{'met    ' if met else 'NOT MET'}  {aim}")
    if as_json:
        show(json.dumps({**result, "verdict": dict(verdicts)}))


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile, rounded to 0.1; 0 of nothing."""
    return round(float(np.percentile(values, percent)), 1) if values else 0.0
