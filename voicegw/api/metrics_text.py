"""The page that Prometheus reads: text exposition format 0.0.4.

Written by hand: our counters already exist (``base/metrics``) and the format is two lines a name. The client
library would keep a second registry of the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _name(name: str) -> str:
    clean = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return f"voicegw_{clean}"


def exposition(counters: Mapping[str, int], gauges: Mapping[str, float]) -> str:
    """Counters get the ``_total`` that the format's conventions ask for; gauges stay as they are."""
    lines: list[str] = []
    for name, count in sorted(counters.items()):
        full = _name(name).removesuffix("_total") + "_total"
        lines += [f"# TYPE {full} counter", f"{full} {count}"]
    for name, value in sorted(gauges.items()):
        lines += [f"# TYPE {_name(name)} gauge", f"{_name(name)} {value:g}"]
    return "\n".join(lines) + "\n"
