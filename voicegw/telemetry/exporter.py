"""Sends traces of calls to a collector: a thread and a bounded queue, so that no call ever waits for it.

What does not fit into the queue, and what the collector does not take in time, is dropped and counted. That is said
in the log once, and once more when the collector takes traces again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from voicegw.base.metrics import Counters
from voicegw.telemetry.call_spans import TracedCall

log = logging.getLogger(__name__)

MOST_CALLS: Final = 64
"""In one request: about a megabyte at most."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_AGAIN: Final = (429, 502, 503, 504)
"""Statuses after which the same request may succeed (OTLP, Failures)."""
_CLOSE_S: Final = 3.0
"""What is left to send at the end may take this long."""


class EncodedTraces(Protocol):
    """The body of a request, and how many spans are in it."""

    @property
    def body(self) -> bytes: ...

    @property
    def spans(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """See :class:`voicegw.telemetry.config.OtlpConfig`."""

    url: str
    headers: dict[str, str]
    timeout_s: float
    queue_calls: int
    gather_s: float


class TraceExporter:
    """``encode`` makes a request of calls. Counts under names of its own: its thread shares none with another."""

    def __init__(
        self,
        destination: Destination,
        encode: Callable[[Sequence[TracedCall]], EncodedTraces],
        counters: Counters,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._destination = destination
        self._encode = encode
        self._counters = counters
        self._transport = transport
        self._waiting: deque[TracedCall] = deque()
        self._changed = threading.Condition()
        self._ends_at: float | None = None
        """When the last request must be over; None while we are not being closed."""
        self._is_failing = False
        self._thread: threading.Thread | None = None

    def put(self, call: TracedCall) -> None:
        """A call is over. Never waits for anybody else."""
        if self._thread is None:  # not before: a process that is forked until then has no thread to lose
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()
        with self._changed:
            if len(self._waiting) >= self._destination.queue_calls:
                self._counters.add("traces_dropped_full")
                return
            self._waiting.append(call)
            self._changed.notify()

    async def close(self, patience_s: float = _CLOSE_S) -> None:
        """Send what waits, as far as that goes by then."""
        if self._thread is None:
            return
        with self._changed:
            self._ends_at = time.monotonic() + patience_s
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, patience_s + 1.0)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        headers = {**self._destination.headers, "Content-Type": "application/x-protobuf"}
        with httpx.Client(headers=headers, transport=self._transport, follow_redirects=False) as client:
            while calls := self._next():
                try:
                    self._send(client, calls)
                except Exception:  # a thread of the node's (decision 0019)
                    self._counters.add("traces_dropped_failed", len(calls))
                    log.exception("traces of calls are lost", extra={"calls": len(calls)})

    def _next(self) -> list[TracedCall]:
        """Calls that are over, those of a moment together; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ends_at)
            self._changed.wait_for(self._is_enough, self._destination.gather_s)
            return [self._waiting.popleft() for _ in range(min(MOST_CALLS, len(self._waiting)))]

    def _is_enough(self) -> bool:
        return self._ends_at is not None or len(self._waiting) >= MOST_CALLS

    def _send(self, client: httpx.Client, calls: Sequence[TracedCall]) -> None:
        encoded = self._encode(calls)
        problem = self._deliver(client, encoded.body)
        if problem:
            self._counters.add("traces_dropped_failed", len(calls))
        else:
            self._counters.add("traces_sent", len(calls))
            self._counters.add("trace_spans_sent", encoded.spans)
        if problem and not self._is_failing:
            log.warning("traces are dropped until the collector takes them", extra={"reason": problem})
        elif self._is_failing and not problem:
            log.info("the collector takes traces again")
        self._is_failing = bool(problem)

    def _deliver(self, client: httpx.Client, body: bytes) -> str:
        """Try until it is taken or the time is over; what is wrong, or ""."""
        ends_at, pause_s = time.monotonic() + self._destination.timeout_s, _FIRST_PAUSE_S
        while True:
            problem, may_pass = self._attempt(client, body, max(0.1, ends_at - time.monotonic()))
            with self._changed:
                self._changed.wait_for(lambda: self._ends_at, pause_s if problem and may_pass else 0.0)
                ends_at = min(ends_at, self._ends_at or ends_at)
            if not problem or not may_pass or time.monotonic() + pause_s >= ends_at:
                return problem
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _attempt(self, client: httpx.Client, body: bytes, timeout_s: float) -> tuple[str, bool]:
        """What is wrong, or "", and whether that may pass."""
        try:
            answer = client.post(self._destination.url, content=body, timeout=timeout_s)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return f"{type(error).__name__}: {error}", True
        if answer.is_success:
            return "", False
        return f"HTTP status {answer.status_code}", answer.status_code in _AGAIN
