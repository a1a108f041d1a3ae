"""A process that is killed while it writes: ``killed_writer.py URL SPOOL ROUND``.

It carries on eight calls at once. For each fact that is acknowledged it prints a line with the call and the number.
"""

from __future__ import annotations

import sys

from tests.unit.storage.sample_call import call_id, sample_call
from voicegw.base.metrics import Counters
from voicegw.storage.config import StoreConfig
from voicegw.storage.writer import StoreWriter

LINES = 8


def main() -> None:
    url, spool, round_number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    writer = StoreWriter(StoreConfig(url=url, spool=spool, batch_ms=1), Counters())
    number = round_number * 1_000_000
    while True:
        calls = [(call_id(number + line), sample_call(number + line)) for line in range(LINES)]
        number += LINES
        for step in range(len(calls[0][1])):
            for id, entries in calls:
                writer.append(id, entries[step])
            writer.flush()
            print("\n".join(f"{id} {step}" for id, _entries in calls), flush=True)


if __name__ == "__main__":
    main()
