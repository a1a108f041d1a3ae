"""What the interop tests share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.interop import forked_server
from tests.interop.namespace import Namespace
from tests.interop.server import Server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever has the longest tests begins with them, so that none is left over at the end.

    xdist's "worksteal" gives each of its processes an equal slice of the list.
    """
    forked_server.get_ready()
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    rest = iter([item for item in items if not item.get_closest_marker("long")])
    size = len(items) // count
    order: list[pytest.Item] = []
    for number in range(count):
        mine = long[number::count]
        order += [*mine, *itertools.islice(rest, size - len(mine))]
    items[:] = [*order, *rest]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network of its own for one test."""
    with Namespace() as inside:
        yield inside


@pytest.fixture(scope="session")
def standing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on loopback for all tests of this process that want nothing special of one."""
    with Server(tmp_path_factory.mktemp("standing")) as running:
        yield running


@pytest.fixture
def server(standing_server: Server) -> Iterator[Server]:
    """A server on loopback whose agent greets, asks for keys and repeats them; of its calls, those of this test."""
    yield standing_server
    standing_server.forget_calls()


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for many small exchanges: none of them may disturb the next."""
    with Server(tmp_path_factory.mktemp("busy")) as running:
        yield running
