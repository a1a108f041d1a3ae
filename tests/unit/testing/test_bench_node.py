"""The server of a benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from voicegw.testing.bench._processes import is_alive

SERVER: Final = """
import signal, sys
print('"voicegw answers"', file=sys.stderr, flush=True)
signal.pause()
"""
BENCH: Final = f"""
import asyncio, sys
from pathlib import Path
from voicegw.testing.bench._node import NodeProcess

async def run():
    async with NodeProcess(Path(sys.argv[1]), program=("-c", {SERVER!r})) as node:
        print(node.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(run())
"""


def test_a_run_that_is_told_to_end_takes_its_server_along(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", BENCH, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as bench:
        assert bench.stdout is not None
        server = int(bench.stdout.readline())
        bench.terminate()
        status = bench.wait(60)
    left = is_alive(server)
    if left:
        os.kill(server, signal.SIGKILL)
    assert (status, left) == (128 + signal.SIGTERM, False)
