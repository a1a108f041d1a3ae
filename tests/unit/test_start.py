"""What a start imports: a server spends seconds of CPU on modules, so what it does not need is not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        # The media process alone has to do with samples; tables are up to date; an API is an option.
        ("voicegw.server_api", {"numpy", "alembic", "fastapi", "voicegw.media.engine"}),
        ("voicegw.config", {"numpy", "sqlalchemy", "httpx"}),
        ("voicegw.cli.main", {"msgspec", "asyncio"}),
    ],
)
def test_nothing_is_imported_that_is_not_needed(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in imported
    assert unwanted.isdisjoint(imported)
