"""What can go wrong with the store, in words that an API can answer with. All are local errors."""

from __future__ import annotations

from voicegw.base.errors import LocalError


class StoreUnavailable(LocalError):
    """The database does not answer, or not as it should. Trying again later may help."""


class Refused(LocalError):
    """The database will never take this, however often it is tried."""


class Conflict(Refused):
    """Somebody else was faster: the name is taken, or the version is no longer the one that was read."""


class NotFound(LocalError):
    """There is no such thing."""
