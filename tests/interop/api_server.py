"""The admin API as it runs in a node: its own thread, a real port, a store in a file, a runtime loop beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tests.unit.api.rig import PASSWORD, FakeControl, FakeInstaller, FakeNode, FakeOriginator
from tests.unit.storage.sample_call import sample_call
from voicegw.api.config import ApiConfig
from voicegw.api.sealed_recordings import SealedRecordings
from voicegw.api.service import ApiService, Wiring
from voicegw.base.clock import SystemClock
from voicegw.base.ids import CallId
from voicegw.call.facts import encode_entry
from voicegw.recording.seal_keys import KeyRing
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.storage.config import StoreConfig
from voicegw.storage.intake import Intake
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.spool import SpooledFact
from voicegw.storage.store import Store

T = TypeVar("T")


class ApiServer:
    """Leaving the ``with`` block stops it. ``client`` sends the key of the first administrator."""

    def __init__(self, directory: Path, calls: int = 0, port: int = 0, **config: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._runtime = threading.Thread(target=self._loop.run_forever, name="runtime")
        store = StoreConfig(url=f"sqlite:///{directory / 'store.sqlite'}")
        if calls:
            asyncio.run(_store_calls(store, calls))
        self.control, self.originator, self.installer = FakeControl(), FakeOriginator(), FakeInstaller()
        wiring = Wiring(
            self.installer,
            control=self.control,
            originator=self.originator,
            recordings=SealedRecordings(directory, KeyRing()),
            node_files=NodeFiles(directory / "spool", directory, tools=directory / "tools.sqlite"),
            browsers=BrowserLegs(),
            board=FakeNode(),
        )
        settings = {"requests_per_minute": 1_000_000, **config}
        api = ApiConfig(listen_port=port, key_file=str(directory / "secrets.key"), **settings)
        self.service = ApiService(api, store, wiring, SystemClock(), environment={"OIDC_SECRET": "known to both"})
        self.url = ""

    def in_runtime(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the runtime's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def __enter__(self) -> Self:
        self._runtime.start()
        self.in_runtime(self.service.start())
        self.url = f"http://127.0.0.1:{self.service.port}"
        self.client = httpx.Client(base_url=self.url, timeout=20)
        self._set_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.in_runtime(self.service.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._runtime.join()
        self._loop.close()

    def _set_up(self) -> None:
        """What an administrator does at the first start: the link, a login, a key."""
        while not self.service.setup_link:
            self.client.get("/readyz")
        body = {"token": self.service.setup_link.partition("#")[2], "name": "root", "password": PASSWORD}
        assert self.client.post("/v1/setup", json=body).status_code == 201
        token = self.client.post("/v1/session", json={"name": "root", "password": PASSWORD}).json()["token"]
        login = {"Authorization": f"Bearer {token}"}
        every = self.client.get("/v1/session", headers=login).json()["permissions"]
        key = self.client.post("/v1/keys", json={"name": "tests", "scopes": every}, headers=login)
        assert key.status_code == 201, key.text
        self.headers = {"Authorization": f"Bearer {key.json()['secret']}"}
        self.client.headers.update(self.headers)


async def _store_calls(config: StoreConfig, calls: int) -> None:
    store = Store(config)
    await store.start()
    for number in range(calls):
        facts = [
            SpooledFact(
                CallId(f"c{number}"),
                entry.seq,
                type(entry.data).__name__,
                1_767_261_600_000 + number * 1000,
                bytes(16),
                encode_entry(entry)[:-1],
            )
            for entry in sample_call(number)
        ]
        async with store.write() as unit:
            await Intake("here").take(unit.connection, facts)
    await store.close()
