"""What has to be there after the power has failed."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path


def sync_directory(path: Path) -> None:
    """A new file survives a crash of the machine only with the directory that names it. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(file: FileIO, data: bytes) -> None:
    """All of it. A disk that is nearly full takes a part first, and refuses only the next write. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
