"""A name server on loopback: the zones of one test, and silence or failures where the test wants them."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_POLL_S = 0.1
_SOA = "ns.test. admin.test. 1 60 60 60 {ttl}"


class DnsStub:
    """Answers on a UDP port of its own. ``records`` maps (name, type) to the texts of the records."""

    def __init__(
        self, records: dict[tuple[str, str], list[str]], *, ttl: int = 60, host: str = "127.0.0.1"
    ) -> None:
        self.records = records
        self.ttl = ttl
        self.questions: list[tuple[str, str]] = []
        self.silent = False
        """Answers nothing."""
        self.broken = False
        """Answers SERVFAIL."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(_POLL_S)
        self.address = f"{host}:{self._socket.getsockname()[1]}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def asked(self, name: str, kind: str) -> int:
        """How often this question came."""
        return self.questions.count((name, kind))

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                data, source = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            try:
                query = dns.message.from_wire(data)
                question = query.question[0]
            except (dns.exception.DNSException, IndexError):
                continue  # for whoever had this port before
            key = (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
            self.questions.append(key)
            if not self.silent:
                self._socket.sendto(self._answer(query, key).to_wire(), source)

    def _answer(self, query: dns.message.Message, key: tuple[str, str]) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        name, kind = query.question[0].name, key[1]
        if alias := self.records.get((key[0], "CNAME")):
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "CNAME", *alias))
            name = dns.name.from_text(alias[0])
        found = self.records.get((name.to_text(omit_final_dot=True), kind))
        if found:
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", kind, *found))
            return answer
        if not any(known == name.to_text(omit_final_dot=True) for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        soa = _SOA.format(ttl=self.ttl)
        answer.authority.append(dns.rrset.from_text("test.", self.ttl, "IN", "SOA", soa))
        return answer
