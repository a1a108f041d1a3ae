"""Commands of ``voicegw`` that ask a running server by its API, as a person in a shell runs them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import FaultServer
from tests.interop.forked_server import ForkedServer, run_forked

_PATIENCE_S = 60.0


class Shell:
    """Its commands find the API in the server's configuration, and show a key with these scopes."""

    def __init__(self, server: FaultServer, desk: ApiDesk, work: Path, *scopes: str) -> None:
        key = work / "shell.key"
        key.write_text(desk.post("/v1/keys", {"name": "shell", "scopes": list(scopes)}, 201)["secret"])
        self._api = ["--config", str(server.configuration), "--key-file", str(key)]
        self._work = work

    def run(self, *words: str) -> str:
        """What it prints; fails unless it ends well."""
        done = run_forked([*words, *self._api], self._work, stdin=Path(os.devnull), within_s=_PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def begin(self, *words: str) -> ForkedServer:
        """One that goes on; leaving its ``with`` block ends it."""
        return ForkedServer([*words, *self._api], self._work / "shell.log", namespace=None, cwd=self._work)
