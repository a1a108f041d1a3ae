"""The admin API as it runs in a node, with nobody behind it: its own thread, a real port, one administrator."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from voicegw.api.config import ApiConfig
from voicegw.api.installation import Documents
from voicegw.api.service import ApiService, Wiring
from voicegw.base.clock import SystemClock
from voicegw.storage.config import StoreConfig

_PASSWORD: Final = "a password for the bench"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_LOOK_S: Final = 0.05


class _Nothing:
    """An installer that installs nothing."""

    async def rehearse(self, documents: Documents) -> None:
        """Fine with everything."""

    async def install(self, documents: Documents) -> None:
        """Fine with everything."""


@dataclass(frozen=True, slots=True)
class RunningApi:
    """``token`` may do everything."""

    service: ApiService
    token: str

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self.service.port

    def cpu_s(self) -> float:
        """Processor time that its thread has used so far."""
        (thread,) = (one for one in threading.enumerate() if one.name == "api")
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS_PER_S


@asynccontextmanager
async def running_api(store: StoreConfig, folder: Path) -> AsyncIterator[RunningApi]:
    """Start it, make its first user, stop it at the end."""
    config = ApiConfig(listen_port=0, key_file=str(folder / "secrets.key"), requests_per_minute=10_000_000)
    service = ApiService(config, store, Wiring(_Nothing(), files=None), SystemClock())
    await service.start()
    try:
        await asyncio.to_thread(_wait_for_link, service)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=60) as client:
            body = {"name": "root", "password": _PASSWORD}
            once = service.setup_link.partition("#")[2]
            (await client.post("/v1/setup", json={"token": once, **body})).raise_for_status()
            login = await client.post("/v1/session", json=body)
            login.raise_for_status()
        yield RunningApi(service, login.json()["token"])
    finally:
        await service.close()


def _wait_for_link(service: ApiService) -> None:
    while not service.setup_link:
        time.sleep(_LOOK_S)
