"""A rival's own Python environment under ``var/peers``: made from its lock file, kept until that changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.base.errors import LocalError
from voicegw.testing.bench._report import show

_ROOT: Final = Path(__file__).resolve().parents[4]
_PINS: Final = _ROOT / "tests" / "peers"


@dataclass(frozen=True, slots=True)
class Environment:
    """``name`` is that of the lock file, the driver and the folder."""

    name: str

    @property
    def driver(self) -> Path:
        """The program that it runs."""
        return _PINS / f"{self.name}_driver.py"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return _ROOT / "var" / "peers" / self.name / "bin" / "python"

    def version_of(self, package: str) -> str:
        """The version that the lock file pins."""
        for line in self._lock.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{package}=="):
                return line.removeprefix(f"{package}==").split()[0]
        raise LocalError(f"{self._lock.name} does not pin {package}")

    def ensure(self) -> None:
        """Install what is missing, once; raises LocalError with pip's own words."""
        stamp = self.python.parents[1] / "stamp"
        key = hashlib.sha256(self._lock.read_bytes() + sys.version.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text(encoding="ascii") == key:
            return
        show(f"installing {self.name} into an environment of its own")
        venv.create(self.python.parents[1], clear=True, with_pip=True)
        command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        done = subprocess.run(
            [*command, "--require-hashes", "-r", str(self._lock)], stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode != 0:
            raise LocalError(f"{self.name}: {done.stderr.decode(errors='replace')[-2000:]}")
        stamp.write_text(key, encoding="ascii")

    @property
    def _lock(self) -> Path:
        return _PINS / f"requirements-{self.name}.lock"
