"""What the interop tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.namespace import Namespace


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network of its own for one test."""
    with Namespace() as inside:
        yield inside
