"""Imported by the process of which servers are forked: makes once what each of them would make for itself."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import tempfile
from pathlib import Path
from typing import Final

import anyio._backends._asyncio  # noqa: F401 - what httpx imports at its first client
import httpcore  # noqa: F401
from httpx._transports import default as transports

from voicegw.audio.rate_change import RateChanger
from voicegw.config import load_config
from voicegw.inference.vad import silero
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store

_STORE: Final = Path("var/voicegw.sqlite")
"""Where a server has its store that is told of no other."""


async def _migrate(path: Path) -> None:
    store = Store(StoreConfig(url=f"sqlite:///{path}"))
    await store.start()
    await store.close()


with tempfile.TemporaryDirectory() as _folder:
    _configuration, _file = Path(_folder) / "voicegw.yaml", Path(_folder) / "store.sqlite"
    _configuration.write_text("{}")
    load_config(_configuration)  # makes the model of such files
    asyncio.run(_migrate(_file))
    _empty_store: Final = _file.read_bytes()

# What every server reads and makes when it starts: the authorities that the machine trusts, and the commands.
transports.create_ssl_context = functools.cache(transports.create_ssl_context)
transports.AsyncHTTPTransport()
command = importlib.import_module("voicegw.cli.main")
command._parser = functools.cache(command._parser)
command._parser()

# What every media worker computes when it starts.
silero._load = functools.cache(silero._load)
silero.SileroVad(1)
RateChanger(1, 8000, 16_000)
RateChanger(1, 16_000, 8000)

# What is imported stays. A fork that looked for garbage among it would copy every page that it looks at.
gc.collect()
gc.freeze()


def lay_out_store(home: Path) -> None:
    """An empty store where a server would make one: its migrations take longer than all else of its start."""
    path = home / _STORE
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_empty_store)
