"""The API bench: live events to many watchers, and how fast calls are listed and found by HTTP.

PostgreSQL runs as a server of the bench's own, in a temporary directory; its package has to be installed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from voicegw.storage.config import FileSync, StoreConfig
from voicegw.testing.bench import _api_live, _api_search
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.postgres_cluster import PostgresCluster

_AIM_LIVE_P95_MS: Final = 500.0
_AIM_LATE_P95_MS: Final = 20.0
_AIM_SEARCH_P95_MS: Final = 100.0
_BUSY_MS: Final = 60_000


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("api", "Live events, lists and searches through the admin API.")
    options.add_argument("--calls", type=int, default=200, help="running calls")
    options.add_argument("--watchers", type=int, default=200, help="who watches all of them")
    options.add_argument("--seconds", type=float, default=20.0, help="how long they watch")
    options.add_argument("--sqlite-calls", type=int, default=100_000, help="calls in SQLite; 0: not at all")
    options.add_argument(
        "--postgresql-calls", type=int, default=1_000_000, help="calls in PostgreSQL; 0: not at all"
    )
    options.add_argument("--repeat", type=int, default=40, help="requests of each kind")
    arguments = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        live = asyncio.run(
            _api_live.measure(_sqlite(home, "live"), home, arguments.calls, arguments.watchers, arguments.seconds)
        )
        searched = {}
        if arguments.sqlite_calls:
            searched["sqlite"] = _search(_sqlite(home, "many"), home, arguments.sqlite_calls, arguments.repeat)
        if arguments.postgresql_calls:
            with PostgresCluster(_POSTGRESQL) as cluster:
                config = StoreConfig(url=cluster.new_database(), busy_timeout_ms=_BUSY_MS, files=FileSync.OFF)
                searched["postgresql"] = _search(config, home, arguments.postgresql_calls, arguments.repeat)
    conclude({"live": asdict(live), "search_p95_ms": searched}, _verdicts(live, searched), as_json=arguments.json)
    return 0


_POSTGRESQL: Final = "\n".join(
    (
        "shared_buffers=256MB",
        "maintenance_work_mem=512MB",
        "max_wal_size=4GB",
        "wal_level=minimal",
        "max_wal_senders=0",
        "synchronous_commit=off",
        "autovacuum=off",
        "",
    )
)
"""For filling a million rows at once; the buffers hold what the searches need, as a server of that size would."""


def _sqlite(home: Path, name: str) -> StoreConfig:
    return StoreConfig(url=f"sqlite:///{home}/{name}.sqlite", busy_timeout_ms=_BUSY_MS, files=FileSync.OFF)


def _search(config: StoreConfig, home: Path, calls: int, repeat: int) -> dict[str, float]:
    show(f"-- {config.url.partition(':')[0]}")
    return asyncio.run(_api_search.measure(config, home, calls, repeat))


def _verdicts(live: _api_live.Live, searched: dict[str, dict[str, float]]) -> dict[str, bool]:
    reach = live.watchers["p95_ms"]
    verdicts = {
        f"an event reaches a watcher within {_AIM_LIVE_P95_MS:.0f} ms, p95 ({reach} ms)": reach <= _AIM_LIVE_P95_MS,
        f"the calls' loop is at most {_AIM_LATE_P95_MS:.0f} ms late, p95 ({live.late_p95_ms_watched} ms)": (
            live.late_p95_ms_watched <= _AIM_LATE_P95_MS
        ),
    }
    for database, found in searched.items():
        slowest = max(found.values())
        aim = f"{database}: list and search within {_AIM_SEARCH_P95_MS:.0f} ms, p95 ({slowest} ms)"
        verdicts[aim] = slowest < _AIM_SEARCH_P95_MS
    return verdicts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
