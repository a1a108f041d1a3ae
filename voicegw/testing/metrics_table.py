"""The catalogue of metrics as a table: ``python -m voicegw.testing.metrics_table`` writes docs/operations.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from voicegw.base.catalogue import CALLS, CLUSTER, MEDIA, NODE, SIP, SPEECH, Metric

PLACE: Final = Path("docs/operations.md")
_FAMILIES: Final = (
    ("Calls, store and API", CALLS),
    ("Signalling", SIP),
    ("Media", MEDIA),
    ("Speech, models, tools", SPEECH),
    ("The node", NODE),
    ("The cluster", CLUSTER),
)
_FEW: Final = 8
_TABLE: Final = re.compile(r"### Calls, store and API\n.*?(?=\n## |\Z)", re.DOTALL)


def table() -> str:
    """All families, a row a metric."""
    return "\n".join(_family(title, family) for title, family in _FAMILIES)


def _family(title: str, family: tuple[Metric, ...]) -> str:
    rows = [f"| `{metric.name}` | {metric.kind} | {_label(metric)} | {metric.text} |" for metric in family]
    return "\n".join((f"### {title}", "", "| metric | type | label | what |", "|---|---|---|---|", *rows, ""))


def _label(metric: Metric) -> str:
    if not metric.label:
        return ""
    values = ", ".join(metric.values) if len(metric.values) <= _FEW else ""
    return f"`{metric.label}`" + (f": {values}" if values else "")


def main() -> None:
    """Write it where it belongs."""
    text = PLACE.read_text()
    PLACE.write_text(_TABLE.sub(lambda _: table(), text))


if __name__ == "__main__":
    main()
