"""Whether a node hears the state that it shares, and what it may conclude from what it hears.

Sans-I/O. A Redis that comes back, perhaps from a snapshot on disk, knows nodes whose signs of life have run out
while nobody could give any. Whoever asks first would take them all for dead. So nobody is declared lost before the
contact has held for as long as each node needs to be heard again.
"""

from __future__ import annotations

from enum import Enum, auto


class ContactState(Enum):
    """What a node knows of its contact."""

    UNKNOWN = auto()
    HELD = auto()
    LOST = auto()


class Contact:
    """``settle_s``: for so long contact has to hold before a silent node is a lost one."""

    def __init__(self, settle_s: float) -> None:
        self.settle_s = settle_s
        self._since: float | None = None
        self.state = ContactState.UNKNOWN

    def succeeded(self, now: float) -> bool:
        """Something was answered; True where nothing was before."""
        if self._since is None:
            self._since = now
        is_news = self.state is not ContactState.HELD
        self.state = ContactState.HELD
        return is_news

    def failed(self) -> bool:
        """Something was not answered; True where that is news."""
        self._since = None
        is_news = self.state is not ContactState.LOST
        self.state = ContactState.LOST
        return is_news

    def stood_still(self, now: float) -> None:
        """This node heard nobody for a while, and perhaps nobody else did: it holds from now on."""
        if self._since is not None:
            self._since = now

    @property
    def holds(self) -> bool:
        """Whether the latest question was answered."""
        return self.state is ContactState.HELD

    def may_fence(self, now: float) -> bool:
        """Whether who is silent is lost."""
        return self._since is not None and now - self._since >= self.settle_s
