"""A person at the admin API of a server in a namespace: the first user, made by the link of the log, logged in."""

from __future__ import annotations

import json
import re
import time
from types import TracebackType
from typing import Any, Self

from tests.interop.fault_server import FaultServer
from tests.interop.forked_program import ForkedProgram
from tests.interop.namespace import Namespace
from tests.interop.process import starved_threads_s

PASSWORD = "correct horse battery staple"


class ApiDesk:
    """Every answer must be the expected one; ``took_ms`` is that of the last request, without what a busy machine
    makes of it: the time in which the server waited for a processor does not count."""

    def __init__(self, server: FaultServer, namespace: Namespace | None, url: str, token: str = "") -> None:
        """``token``: of a login at another node with the same store."""
        self._server = server
        self.url, self._namespace = url, namespace
        self.took_ms = 0.0
        self.token = token

    def __enter__(self) -> Self:
        self._client = ForkedProgram("tests.interop.api_client", self.url, namespace=self._namespace)
        self._log_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, status: int = 200) -> Any:
        """What is there."""
        return self._ask(status, method="GET", path=path)

    def post(self, path: str, body: dict[str, Any] | None = None, status: int = 204) -> Any:
        """Do something."""
        return self._ask(status, method="POST", path=path, json=body)

    def put(self, path: str, body: dict[str, Any], *, new: bool) -> Any:
        """Write something whole: ``new``, or in place of whatever is there."""
        headers = {"If-None-Match": "*"} if new else {"If-Match": "*"}
        return self._ask(200, method="PUT", path=path, json=body, headers=headers)

    def publish(self, kind: str, name: str, text: str, *, new: bool) -> None:
        """Put a document of this kind ("agents", "dialplans") in force."""
        version = self.put(f"/v1/{kind}/{name}", {"text": text}, new=new)["latest"]
        request = {"method": "POST", "path": f"/v1/{kind}/{name}/publish", "json": {"version": version}}
        self._ask(200, **request, headers={"If-Match": "*"})

    def delete(self, path: str, status: int = 204) -> Any:
        """Take something away."""
        return self._ask(status, method="DELETE", path=path)

    def wait_call(self, within_s: float = 30.0) -> str:
        """The id of the first call that is up."""
        deadline = time.monotonic() + within_s
        while not (up := [call for call in self.get("/v1/live/calls")["items"] if call["state"] == "active"]):
            assert time.monotonic() < deadline, self._server.process.output
            time.sleep(0.1)
        return str(up[0]["id"])

    def events(self, call_id: str, after: str, until: str) -> list[dict[str, Any]]:
        """What watchers of a call, or of all, were told since ``after``, up to the fact of this name."""
        path = f"/v1/live/events?after={after}" + (f"&call_id={call_id}" if call_id else "")
        return [event["data"] for event in self._exchange({"watch": path, "until": until})["events"]]

    def _log_in(self) -> None:
        if not self.token:
            self._set_up()
        login = {"Authorization": f"Bearer {self.token}"}
        self._exchange({"login": login, "method": "GET", "path": "/healthz"})

    def _set_up(self) -> None:
        self._server.wait_logged("/setup#")
        link = re.search(r"/setup#([\w-]+)", self._server.process.output)
        assert link is not None
        self.post("/v1/setup", {"token": link.group(1), "name": "ada", "password": PASSWORD}, 201)
        self.token = self.post("/v1/session", {"name": "ada", "password": PASSWORD}, 200)["token"]

    def _ask(self, status: int, **request: Any) -> Any:
        waited_s = starved_threads_s(self._server.process.pid)
        got = self._exchange(request)
        assert got["status"] == status, f"{got}\n{self._server.process.output}"
        self.took_ms = got["took_ms"] - (starved_threads_s(self._server.process.pid) - waited_s) * 1000
        return got["body"]

    def _exchange(self, request: dict[str, Any]) -> Any:
        return json.loads(self._client.ask(json.dumps(request)))
