"""Imported by the process of which servers are forked: makes once what each of them would make for itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio._backends._asyncio  # noqa: F401 - what httpx imports at its first client
import httpcore  # noqa: F401

from voicegw.config import load_config

with tempfile.TemporaryDirectory() as folder:
    empty = Path(folder) / "voicegw.yaml"
    empty.write_text("{}")
    load_config(empty)  # makes the model of the file
