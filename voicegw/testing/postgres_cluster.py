"""A PostgreSQL server of our own, for tests and benches: a new cluster in a temporary directory, on loopback.

PostgreSQL refuses to run as root; then it runs as the user ``postgres``, whom its package has made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from voicegw.testing.ports import free_port

_USER = "postgres"
_SETTINGS = "fsync=off\nfull_page_writes=off\nmax_connections=40\nshared_buffers=64MB\n"
"""The server is never killed here, only its clients are."""


class PostgresCluster:
    """Entering starts it; leaving stops and deletes it."""

    def __init__(self, settings: str = "", access: str = "") -> None:
        """``settings`` are further lines of ``postgresql.conf``, ``access`` first ones of ``pg_hba.conf``: who has
        to prove what. Everybody else is believed."""
        self._settings = settings
        self._access = access
        self._home = Path(tempfile.mkdtemp(prefix="voicegw-pg-"))
        self._databases = 0
        self._as_user = _USER if os.getuid() == 0 else None
        if self._as_user:
            shutil.chown(self._home, self._as_user)
        self.port = 0

    def new_database(self, like: str = "template1") -> str:
        """The URL of a new database: an empty one, or a copy of one to which nobody is connected."""
        self._databases += 1
        name = f"voicegw_{self._databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-T", like, name)
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def order(self, statement: str) -> None:
        """One statement, by the superuser."""
        self._run(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-v", "ON_ERROR_STOP=1", "-c", statement
        )

    def stop(self) -> None:
        """Shut the server down at once; its data stay."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Start the server, on the port that it had before."""
        self.port = self.port or free_port()
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._home}"
        log = str(self._home / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", options, "-w", "start")

    def __enter__(self) -> Self:
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS + self._settings)
        believed = self._data / "pg_hba.conf"
        believed.write_text(self._access + believed.read_text())
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._home)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _run(self, program: str, *args: str) -> None:
        command = [str(_program(program)), *args]
        done = subprocess.run(
            command,
            user=self._as_user,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout!r}"


def _program(name: str) -> Path:
    """The newest of those that are installed; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1]
    elsewhere = shutil.which(name)
    assert elsewhere, f"{name} of PostgreSQL is not installed"
    return Path(elsewhere)
