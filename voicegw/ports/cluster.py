"""What nodes of a cluster share, and what holds it: one memory for an embedded server, Redis for several.

An **owner** is one run of a node: its name and a mark that no other run has. Everything that is shared belongs to
an owner, so that what a process left behind is never taken for its successor's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple, Protocol

import msgspec

from voicegw.base.ids import CallId


class NodeState(StrEnum):
    """What a node says of itself."""

    READY = "ready"
    DRAINING = "draining"
    FULL = "full"


class Owner(NamedTuple):
    """One run of a node."""

    name: str
    mark: str

    def __str__(self) -> str:
        """As keys and messages name it."""
        return f"{self.name}@{self.mark}"

    @classmethod
    def parse(cls, text: str) -> Owner:
        """The opposite of ``str``; node names have no ``@``."""
        name, _, mark = text.partition("@")
        return cls(name, mark)


class Hold(Enum):
    """What a node may do with something that one node does at a time."""

    NONE = auto()
    """It is somebody else's."""
    HELD = auto()
    """It is ours."""
    FROZEN = auto()
    """It was ours and has run out, and nobody can be asked whose it is."""


class Beaten(Enum):
    """What a sign of life has found."""

    NEW = 0
    """Nothing of this run is known (any more)."""
    KNOWN = 1
    REPLACED = 2
    """Another run had the name until now."""


class NodeInfo(msgspec.Struct, frozen=True):
    """A node as its last sign of life tells it. ``load``: 0 to 1, the part of ``max_calls`` that is taken.

    ``sip`` is where it takes calls (HOST:PORT), ``api`` the URL of its API; empty where there is none.
    """

    name: str
    mark: str
    state: NodeState
    calls: int
    max_calls: int
    load: float
    version: str
    sip: str
    api: str
    started_at: str

    @property
    def owner(self) -> Owner:
        """This run of it."""
        return Owner(self.name, self.mark)


class SharedCall(msgspec.Struct, frozen=True):
    """A running call as the other nodes know it. ``started_at`` is UTC in ISO 8601, ``state`` offered or active."""

    call_id: CallId
    called: str = ""
    calling: str = ""
    trunk: str = ""
    agent: str = ""
    state: str = "offered"
    started_at: str = ""
    seq: int = 0
    """Of its latest fact that changed something here."""


class Line(NamedTuple):
    """Something of which so many may be in use at once."""

    name: str
    limit: int


class Roster(NamedTuple):
    """Who is there, and who left calls behind without a word."""

    nodes: tuple[NodeInfo, ...]
    lost: tuple[Owner, ...]


class Notice(msgspec.Struct, frozen=True):
    """A node's word on a source: ignore it, or, ``lifted``, hear it again. Of two on one host the newer one counts.

    ``at``, ``until``: seconds of the wall clock. ``by``: the node that says it.
    """

    host: str
    reason: str
    at: float
    until: float
    by: str
    lifted: bool = False


class Notices(NamedTuple):
    """What is known of sources. ``found`` None: nothing is new since the version that was asked about."""

    version: str
    found: Sequence[Notice] | None


class PhoneWord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node's word on one contact of a phone behind a balancer: it is there, or, ``gone``, not any more.

    Of two on one contact the newer one counts (:func:`is_newer`). ``at_ms``, ``until_ms``: milliseconds of the wall
    clock. ``by``: the node that says it. The rest is as in :class:`voicegw.sip.bindings.Binding`.
    """

    phone: str
    contact: str
    at_ms: int
    until_ms: int
    by: str
    call_id: str
    cseq: int
    gone: bool = False
    host: str = ""
    """Of the balancer, where a request to the phone is sent; its path has the rest of the way."""
    port: int = 5060
    transport: str = "UDP"
    path: tuple[str, ...] = ()
    q: int = 1000
    instance: str = ""
    reg_id: int = 0
    user_agent: str = ""

    @property
    def key(self) -> str:
        """What it is about: the device and its flow where they have names, else the URI as it was written."""
        return f"{self.instance};{self.reg_id}" if self.instance and self.reg_id else self.contact


def is_newer(one: PhoneWord, other: PhoneWord) -> bool:
    """Whether it replaces the other one. What a phone says in one Call-ID it numbers itself (RFC 3261 §10.2): that
    counts between words of one moment, as clocks of nodes differ. A phone that begins anew may begin at 1."""
    is_moment = abs(one.at_ms - other.at_ms) <= CLOCKS_MS
    if is_moment and one.call_id == other.call_id and one.cseq != other.cseq:
        return one.cseq > other.cseq
    return (one.at_ms, one.by) > (other.at_ms, other.by)


class PhoneVersion(NamedTuple):
    """How new the words on phones are. ``epoch``: another one in a state that has forgotten everything."""

    epoch: str
    number: int


class PhonePage(NamedTuple):
    """Words on some phones, all that is known of each. ``number``: up to where they go; 0: there are no more."""

    number: int
    words: Sequence[PhoneWord]


class Delivered(NamedTuple):
    """A message with its place in the stream that it came by."""

    position: str
    to_all: bool
    data: bytes


class Positions(NamedTuple):
    """Up to where the stream for all and one's own have been read."""

    all: str = "0"
    own: str = "0"


MOST_NOTICES: Final = 10_000
"""Hosts of which something is known: as many as one guard ignores at once."""

MOST_PHONES: Final = 20_000
"""Phones with words on them: as many as a registrar has bindings."""
MOST_CONTACTS: Final = 32
"""Words on one phone: those that are bound, and those that are gone."""
CLOCKS_MS: Final = 2000
"""So far may the clocks of two nodes be apart."""

READ_AT_MOST: Final = 500
"""Messages of one read: their handling gives way to calls in between. Fewer, and there were no more."""


class SharedState(Protocol):
    """The state that nodes share. Every method is atomic; all raise ProviderError where it cannot be reached."""

    async def beat(self, info: NodeInfo, ttl_s: float) -> Beaten:
        """A sign of life, good for ``ttl_s``. Where this run was not known (any more), what it has is to be written
        anew. Another run of the same name is lost from now on."""
        ...

    async def roster(self) -> Roster:
        """Who is there now, and whose calls wait for somebody to end them."""
        ...

    async def leave(self, owner: Owner) -> None:
        """This run is over in good order; what it had is dropped."""
        ...

    # ------------------------------------------------------------ calls and lines

    async def put_calls(self, owner: Owner, calls: Sequence[SharedCall]) -> None:
        """Write these calls of an owner, or write them anew."""
        ...

    async def drop_calls(self, owner: Owner, call_ids: Sequence[CallId]) -> None:
        """These are over."""
        ...

    async def rewrite(self, owner: Owner, calls: Sequence[SharedCall], lines: Mapping[str, Sequence[str]]) -> None:
        """An owner has exactly these calls, and its holders exactly these ``lines``, whatever the limits say."""
        ...

    async def calls(self) -> Mapping[Owner, Sequence[SharedCall]]:
        """All calls of nodes that are there."""
        ...

    async def take_lines(self, owner: Owner, holder: str, lines: Sequence[Line]) -> str:
        """Take one of each for ``holder``, in the place of what it has, or change nothing: then the name of the one
        that is full, else "". Runs that are no nodes have none."""
        ...

    async def free_lines(self, owner: Owner, holder: str) -> None:
        """Give back all that a holder has."""
        ...

    # ------------------------------------------------------------ the lost

    async def claim_lost(self, by: Owner, owner: Owner, claim_s: float) -> tuple[SharedCall, ...] | None:
        """Fence a run that is gone: its lines are free, its name is nobody's, its calls are ``by``'s to end.

        None where it is there after all, where nothing is left of it, or where somebody else ends them already. A
        claim ends after ``claim_s``, for the next to try.
        """
        ...

    async def settle_lost(self, by: Owner, owner: Owner, news: Sequence[bytes]) -> bool:
        """Its calls are ended: tell all the ``news`` and forget them, in one step. False without the claim."""
        ...

    # ------------------------------------------------------------ leases

    async def take_lease(self, name: str, owner: Owner, ttl_s: float) -> int:
        """A token that is greater than every earlier one; 0 where somebody else has the lease."""
        ...

    async def keep_lease(self, name: str, owner: Owner, token: int, ttl_s: float) -> bool:
        """Have it for ``ttl_s`` from now on; False where it is not ours any more."""
        ...

    async def give_lease(self, name: str, owner: Owner, token: int) -> None:
        """Let the next one have it at once."""
        ...

    # ------------------------------------------------------------ bans

    async def put_notices(self, notices: Sequence[Notice]) -> None:
        """Write these down where they are newer than what is known of their hosts; what is over is dropped."""
        ...

    async def notices(self, since: str | None) -> Notices:
        """All of them, unless ``since`` is their version still."""
        ...

    # ------------------------------------------------------------ phones

    async def put_phones(self, words: Sequence[PhoneWord]) -> None:
        """Write these down where they are newer than what is known of their contacts; what is over is dropped."""
        ...

    async def phone_version(self) -> PhoneVersion:
        """Grows with every change; the number is 0 where nothing was said yet."""
        ...

    async def phones(self, since: int, most: int) -> PhonePage:
        """Words on at most so many phones that have changed since, the oldest change first."""
        ...

    # ------------------------------------------------------------ messages

    async def tell(self, messages: Sequence[bytes]) -> None:
        """To all nodes, in order. The oldest messages are dropped where there are too many."""
        ...

    def keep(self, messages: int) -> None:
        """So many messages to all are kept, from the next one on that this node tells."""
        ...

    async def send(self, owner: Owner, message: bytes) -> None:
        """To one run of a node."""
        ...

    async def read(self, owner: Owner, after: Positions, patience_s: float) -> Sequence[Delivered]:
        """What came after these positions, in order; nothing after ``patience_s``."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class LinePool(Protocol):
    """Lines of trunks and numbers, as the gateway takes them. A node that cannot ask goes by what it has itself."""

    async def take(self, holder: str, lines: Sequence[Line]) -> str:
        """Take one of each for a leg, or none: then the name of the one that is full, else "". Never raises."""
        ...

    def free(self, holder: str) -> None:
        """The leg is over; one that has none gives nothing back."""
        ...


Now = Callable[[], float]
"""Monotonic seconds."""
