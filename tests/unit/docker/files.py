"""The compose files, read as Docker reads them, as far as that goes without it."""

from __future__ import annotations

from typing import Any

import yaml

from tests.unit.docker.dockerfile import DOCKER


class ComposeLoader(yaml.SafeLoader):
    """With the tag by which a second compose file takes something of the first one away."""


ComposeLoader.add_constructor("!reset", lambda loader, node: None)


def compose(name: str) -> dict[str, Any]:
    """A compose file, merged keys and anchors resolved."""
    document: dict[str, Any] = yaml.load((DOCKER / name).read_text(), ComposeLoader)
    return document
