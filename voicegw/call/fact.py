"""What every fact of a call is, whatever it tells."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True, tag=True, tag_field="fact"):
    """Base of all facts; the class name is the tag."""
