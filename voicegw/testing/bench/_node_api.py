"""The metrics of a node, read from its API as Prometheus reads them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Final

import httpx

from voicegw.base.errors import LocalError
from voicegw.testing.bench._node import NodeProcess

_PASSWORD: Final = "a password for the bench"
_LINK: Final = re.compile(r"/setup#([\w-]+)")
_WAIT_S: Final = 60.0
_POLL_S: Final = 0.1


class NodeApi:
    """The first user of a node that has its API at ``port``, with a key for metrics. Close it at the end."""

    def __init__(self, node: NodeProcess, port: int) -> None:
        deadline = time.monotonic() + _WAIT_S
        while (link := _LINK.search(node.output)) is None:
            if time.monotonic() > deadline:
                raise LocalError("the node tells no link for its first user")
            time.sleep(_POLL_S)
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        body = {"name": "root", "password": _PASSWORD}
        self._post("/v1/setup", {"token": link.group(1), **body})
        self._as(self._post("/v1/session", body)["token"])
        self._as(self._post("/v1/keys", {"name": "bench", "scopes": ["metrics"]})["secret"])

    def metrics(self) -> dict[str, float]:
        """Every series by its name and labels as they are written, and the sum of each family by its name."""
        answer = self._client.get("/metrics")
        answer.raise_for_status()
        found: dict[str, float] = {}
        for line in answer.text.splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            found[series] = float(value)
            family, labelled, _ = series.partition("{")
            if labelled:
                found[family] = found.get(family, 0.0) + float(value)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, str]:
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        made: dict[str, str] = answer.json() if answer.content else {}
        return made

    def _as(self, token: str) -> None:
        self._client.headers["Authorization"] = f"Bearer {token}"
