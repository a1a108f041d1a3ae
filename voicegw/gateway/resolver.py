"""Asks the DNS what :mod:`voicegw.sip.locating` wants to know: never in a datagram's path, never without end.

Answers are kept for as long as their zone says. One question is asked once, however many wait for it. Where no
name server answers, what was known before is used for up to a day (RFC 8767): a trunk need not fail with the DNS.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.gateway.hosts_file import HostsFile
from voicegw.gateway.locating_config import LocatingConfig, parse_dns_server
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.sip.address import Address
from voicegw.sip.locating import Abilities, Naptr, Question, Record, RecordKind, Srv, locate
from voicegw.sip.uri import SipUri

log = logging.getLogger(__name__)

RESOLV_CONF = Path("/etc/resolv.conf")
MAX_QUESTIONS = 64
"""Open at once; more wait for their turn."""
MAX_RECORDS = 64
"""Kept of one answer."""
LONGEST_S = 86_400.0
"""The longest life of an answer, and of one that no server confirms any more."""
NOTHING_S = 60.0
"""The longest life of the knowledge that there is nothing."""
FAILURE_S = 5.0
"""Before servers that did not answer are asked the same again."""


@dataclass(frozen=True, slots=True)
class _Answer:
    records: tuple[Record, ...]
    expires: float
    """When to ask again."""
    stale: float
    """When to forget it even if nobody answers."""


class Resolver:
    """Finds the servers of a URI. ``abilities`` are asked for each time: sockets come and go."""

    def __init__(
        self,
        config: LocatingConfig,
        abilities: Callable[[], Abilities],
        *,
        random: RandomBytes,
        clock: Clock,
        counters: Counters,
        hosts: HostsFile | None = None,
        settings: Path = RESOLV_CONF,
    ) -> None:
        self._config = config
        self._abilities = abilities
        self._random = random
        self._clock = clock
        self._counters = counters
        self._hosts = hosts or HostsFile()
        self._cache: OrderedDict[Question, _Answer] = OrderedDict()
        self._asking: dict[Question, asyncio.Task[tuple[Record, ...]]] = {}
        self._turns = asyncio.Semaphore(MAX_QUESTIONS)
        self._settings = settings
        self._stub: dns.asyncresolver.Resolver | None = None
        self._stamp = 0

    def use(self, config: LocatingConfig) -> None:
        """Other name servers and patience, for questions from now on; answers that are known hold."""
        if config != self._config:
            self._config, self._stub = config, None

    async def locate(self, uri: SipUri) -> tuple[Address, ...]:
        """Where a request for ``uri`` goes, the best first. LocalError where there is nothing to be found."""
        self._hosts.refresh()
        search = locate(uri, self._abilities(), self._random)
        try:
            questions = next(search)
            while True:
                questions = search.send(await self._answer(questions))
        except StopIteration as end:
            targets: tuple[Address, ...] = end.value
        if not targets:
            raise LocalError(f"{uri.host} cannot be found")
        return targets

    def locate_literal(self, uri: SipUri) -> tuple[Address, ...] | None:
        """The same for a URI that names an address; None for a name. LocalError for a transport that we lack."""
        search = locate(uri, self._abilities(), self._random)
        try:
            next(search)
        except StopIteration as end:
            addresses: tuple[Address, ...] = end.value
            return addresses
        search.close()
        return None

    async def _answer(self, questions: tuple[Question, ...]) -> dict[Question, tuple[Record, ...]]:
        """The records for these questions; none where there are none, or nobody knows."""
        answers = {question: self._known(question) for question in questions}
        missing = [question for question, records in answers.items() if records is None]
        found = await asyncio.gather(*map(self._ask, missing)) if missing else []
        known = {question: records for question, records in answers.items() if records is not None}
        return known | dict(zip(missing, found, strict=True))

    def _known(self, question: Question) -> tuple[Record, ...] | None:
        """What needs not to be asked."""
        own = self._hosts.addresses(_host_of(question))
        if own:
            return _of_family(own, question.kind)
        known = self._cache.get(question)
        if known is None or known.expires <= self._clock.monotonic():
            return None
        self._cache.move_to_end(question)
        return known.records

    async def _ask(self, question: Question) -> tuple[Record, ...]:
        """Ask, or wait for the answer that somebody else has asked for."""
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(self._fetch(question))
            task.add_done_callback(lambda _done: self._asking.pop(question, None))
        return await asyncio.shield(task)  # who stops waiting does not take the answer from the others

    def close(self) -> None:
        """Give up what is being asked."""
        for task in self._asking.values():
            task.cancel()

    async def _fetch(self, question: Question) -> tuple[Record, ...]:
        self._counters.add(LocatingCounter.DNS_QUESTIONS)
        try:
            async with self._turns:
                records, ttl = await self._query(question)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            self._counters.add(LocatingCounter.DNS_FAILURES)
            log.warning("no answer from the DNS", extra={"question": question.name, "error": str(error)[:200]})
            return self._fall_back(question)
        life = min(ttl, LONGEST_S if records else NOTHING_S)
        now = self._clock.monotonic()
        self._keep(question, _Answer(records, now + life, now + (LONGEST_S if records else life)))
        return records

    async def _query(self, question: Question) -> tuple[tuple[Record, ...], float]:
        """Ask; returns the records and for how many seconds they hold."""
        stub = self._current_stub()
        name = dns.name.from_text(question.name, None)
        is_short = "." not in _host_of(question)  # such as a service of a Kubernetes namespace
        try:
            answer = await stub.resolve(
                name if is_short else name.concatenate(dns.name.root),
                question.kind.value,
                raise_on_no_answer=False,
                lifetime=self._config.dns_timeout_s,
                search=is_short,
            )
        except dns.resolver.NXDOMAIN as error:
            said: dict[dns.name.Name, dns.message.Message] = error.kwargs["responses"]
            return (), min((_lifetime(one) for one in said.values()), default=FAILURE_S)
        found = [_record(one) for one in (answer.rrset or ())][:MAX_RECORDS]
        return tuple(one for one in found if one is not None), _lifetime(answer.response)

    def _current_stub(self) -> dns.asyncresolver.Resolver:
        """Who asks; made anew when the machine got other name servers, as it does with another network."""
        stamp = 0 if self._config.dns_servers else self._settings.stat().st_mtime_ns
        if self._stub is None or stamp != self._stamp:
            self._stub, self._stamp = self._make_stub(), stamp
        return self._stub

    def _make_stub(self) -> dns.asyncresolver.Resolver:
        servers = [parse_dns_server(text) for text in self._config.dns_servers]
        stub = dns.asyncresolver.Resolver(str(self._settings), configure=not servers)
        if servers:
            stub.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in servers]
        stub.timeout = self._config.dns_timeout_s / 2  # one server; then the next, or the same again
        return stub

    def _fall_back(self, question: Question) -> tuple[Record, ...]:
        """What was known before, else nothing; either holds for a moment, so that nobody waits again and again."""
        now, known = self._clock.monotonic(), self._cache.get(question)
        if known is not None and known.records and known.stale > now:
            self._counters.add(LocatingCounter.DNS_STALE)
            self._keep(question, _Answer(known.records, now + FAILURE_S, known.stale))
            return known.records
        self._keep(question, _Answer((), now + FAILURE_S, now + FAILURE_S))
        return ()

    def _keep(self, question: Question, answer: _Answer) -> None:
        self._cache[question] = answer
        self._cache.move_to_end(question)
        while len(self._cache) > self._config.dns_cache_entries:
            self._cache.popitem(last=False)


def _lifetime(response: dns.message.Message) -> float:
    """The least of the times to live on the way from the question to its answer, or to there being none."""
    if not isinstance(response, dns.message.QueryMessage):
        return 0.0
    return float(response.resolve_chaining().minimum_ttl)


def _host_of(question: Question) -> str:
    """The host that a question is about: ``_sip._udp.example.com`` asks about ``example.com``."""
    labels = question.name.split(".")
    while len(labels) > 1 and labels[0].startswith("_"):
        labels.pop(0)
    return ".".join(labels)


def _of_family(addresses: tuple[str, ...], kind: RecordKind) -> tuple[str, ...]:
    if kind not in (RecordKind.A, RecordKind.AAAA):
        return ()
    return tuple(address for address in addresses if (":" in address) == (kind is RecordKind.AAAA))


def _record(found: dns.rdata.Rdata) -> Record | None:
    match found:
        case A() | AAAA():
            return str(found.address)
        case SRV():
            return Srv(found.priority, found.weight, found.port, _text(found.target))
        case NAPTR():
            texts = (found.flags, found.service)
            flags, service = (text.decode("latin-1") for text in texts)
            return Naptr(found.order, found.preference, flags, service, _text(found.replacement))
        case _:
            return None


def _text(name: dns.name.Name) -> str:
    return "." if name == dns.name.root else name.to_text(omit_final_dot=True).lower()
