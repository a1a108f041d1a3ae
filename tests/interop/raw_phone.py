"""A telephone of the tests' own, for what no decent program does: every datagram of a call is in the test's hand.

One call: INVITE, ACK and BYE by the letter on one socket, µ-law at 20 ms on another. It hears while it speaks, and
what it speaks can be added to at any time.
"""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from tests.interop.rtp import PCMU, Pace, digit_packets, packet, receive_stamped, stamp_arrivals
from tests.interop.sound import FRAME, Samples, ulaw_decode, ulaw_encode

_PERIOD_S = 0.02
_POLL_S = 0.1
_GAP_FRAMES = 5
_branch = re.compile(r"branch=z9hG4bK\w+")
_SILENCE = ulaw_encode(np.zeros(FRAME, dtype=np.int16))


class RawPhone:
    """A caller on loopback. Leaving the ``with`` block hangs up what is still up."""

    def __init__(self, server: tuple[str, int], *, user: str = "demo") -> None:
        self.server = server
        self.call_id = f"{random.getrandbits(48):x}@raw"
        self.sip = _udp()
        self.rtp = _udp()
        stamp_arrivals(self.rtp)
        self.remote: tuple[str, int] | None = None
        self.messages: list[str] = []
        self.bye_at: float | None = None
        self.follows = True
        """A re-INVITE is answered, and its new place for audio used."""
        self.arrivals: list[float] = []
        """When audio came from the place that was agreed, by the kernel's clock."""
        self._uri = f"sip:{user}@{server[0]}:{server[1]}"
        self._to = f"<{self._uri}>"
        self._tag = f"{random.getrandbits(32):x}"
        self._cseq = 0
        self._heard: list[tuple[int, bytes]] = []
        self._frames: deque[bytes] = deque()
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._receive_sip), threading.Thread(target=self._receive_rtp)]
        for thread in self._threads:
            thread.start()

    # ------------------------------------------------------------ signalling

    def dial(self, within_s: float = 30.0) -> int:
        """Send an INVITE and wait for its final status; a 2xx is acknowledged, and audio begins to flow."""
        invite = self.request("INVITE", self.sdp())
        self.send(invite)
        final = self.wait_for(lambda text: _is_final(text, "INVITE"), within_s)
        status = int(final.split()[1])
        if to := re.search(r"^To: (.*)$", final, re.MULTILINE | re.IGNORECASE):
            self._to = to.group(1).strip()
        ack = self.request("ACK")
        # The ACK of a refusal is part of the INVITE's transaction, that of a 2xx is its own (RFC 3261 §17.1.1.3).
        self.send(ack if status == 200 else _branch.sub(_branch.findall(invite)[0], ack))
        if status == 200:
            self.remote = self._place_in(final)
            self._threads.append(threading.Thread(target=self._send_rtp))
            self._threads[-1].start()
        return status

    def hang_up(self, within_s: float = 30.0) -> None:
        """BYE, and wait for its answer; nothing if the far end was first."""
        if self.bye_at is None:
            self.send(self.request("BYE"))
            self.wait_for(lambda text: _is_final(text, "BYE") or text.startswith("BYE "), within_s)
        self.remote = None

    def wait_bye(self, within_s: float) -> str:
        """The far end's BYE, which has been answered."""
        found = self.wait_for(lambda text: text.startswith("BYE "), within_s)
        self.remote = None
        return found

    def options(self, within_s: float = 30.0) -> str:
        """Ping the server, outside the call; its answer."""
        marker = f"ping{random.getrandbits(32):x}"
        self.send(self.request("OPTIONS").replace(self.call_id, marker).replace(self._to, f"<{self._uri}>"))
        return self.wait_for(lambda text: marker in text, within_s)

    def request(self, method: str, body: str = "") -> str:
        """A request of this call, with the next CSeq number where it needs one."""
        host, port = self.sip.getsockname()
        self._cseq += method != "ACK"
        content = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {self._uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{random.getrandbits(48):x};rport\r\n"
            f"Max-Forwards: 70\r\n"
            f"From: <sip:raw@{host}>;tag={self._tag}\r\n"
            f"To: {self._to}\r\n"
            f"Call-ID: {self.call_id}\r\n"
            f"CSeq: {self._cseq} {method}\r\n"
            f"Contact: <sip:raw@{host}:{port}>\r\n"
            f"{content}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def sdp(self) -> str:
        """The offer: µ-law and keys."""
        host, port = self.rtp.getsockname()
        return (
            f"v=0\r\no=raw 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        )

    def send(self, message: str | bytes) -> None:
        """Any datagram to the server's SIP port."""
        data = message if isinstance(message, bytes) else message.encode("latin-1")
        self.sip.sendto(data, self.server)

    def wait_for(self, wanted: Callable[[str], bool], within_s: float) -> str:
        """The first received message that is wanted; fails with all of them if none comes in time."""
        with self._news:
            self._news.wait_for(lambda: any(map(wanted, self.messages)), within_s)
            found = [text for text in self.messages if wanted(text)]
        assert found, f"not within {within_s} s:\n" + "\n".join(self.messages)
        return found[0]

    # ------------------------------------------------------------ sound

    def play(self, samples: Samples) -> None:
        """Speak this after everything said before; silence when there is nothing to say."""
        for start in range(0, len(samples) - FRAME + 1, FRAME):
            self._frames.append(ulaw_encode(samples[start : start + FRAME]))

    def press(self, digits: str) -> None:
        """Press keys after everything said before."""
        for digit in digits:
            self._frames.extend([digit.encode(), *[_SILENCE] * _GAP_FRAMES])

    def wait_played(self, within_s: float = 30.0, *, left: float = 0.0) -> None:
        """Until all of it has been sent but for ``left`` seconds."""
        deadline = time.monotonic() + within_s
        while len(self._frames) > left / _PERIOD_S:
            assert time.monotonic() < deadline, f"{len(self._frames)} frames are still to be sent"
            time.sleep(_PERIOD_S)

    def heard(self, since: int = 0) -> Samples:
        """What arrived, in order of the RTP timestamps, gaps as silence; ``since`` a value of :meth:`mark`."""
        with self._news:
            packets = self._heard[since:]
        if not packets:
            return np.zeros(0, dtype=np.int16)
        first = min(timestamp for timestamp, _ in packets)
        samples = np.zeros(max(timestamp for timestamp, _ in packets) - first + FRAME, dtype=np.int16)
        for timestamp, payload in packets:
            at = timestamp - first
            samples[at : at + len(payload)] = ulaw_decode(payload)[: len(samples) - at]
        return samples

    def mark(self) -> int:
        """This moment in what is heard."""
        with self._news:
            return len(self._heard)

    def wait_heard(self, enough: Callable[[Samples], bool], within_s: float, since: int = 0) -> None:
        """Until what was heard since then is enough."""
        deadline = time.monotonic() + within_s
        while not enough(self.heard(since)):
            assert time.monotonic() < deadline, f"not heard within {within_s} s"
            time.sleep(_POLL_S)

    # ------------------------------------------------------------ threads

    def _receive_sip(self) -> None:
        while not self._closing.is_set():
            try:
                text = self.sip.recv(65_535).decode("latin-1")
            except TimeoutError:
                continue
            except ConnectionError:
                continue  # the server's port is closed: what an ICMP error says on loopback
            if text.startswith("BYE "):
                self.bye_at = self.bye_at or time.monotonic()
                self.send(_answer(text))
            if text.startswith("INVITE ") and self.follows:
                self.remote = self._place_in(text)
                host, port = self.sip.getsockname()
                self.send(_answer(text, f"Contact: <sip:raw@{host}:{port}>", self.sdp()))
            with self._news:
                self.messages.append(text)
                self._news.notify_all()

    def _place_in(self, text: str) -> tuple[str, int]:
        media = re.search(r"^m=audio (\d+) ", text, re.MULTILINE)
        assert media, text
        return self.server[0], int(media.group(1))

    def _receive_rtp(self) -> None:
        while not self._closing.is_set():
            try:
                data, source, arrived = receive_stamped(self.rtp)
            except (TimeoutError, ConnectionError):
                continue
            if len(data) >= 12 and data[0] >> 6 == 2 and data[1] & 0x7F == PCMU:
                with self._news:
                    if source == self.remote:
                        self.arrivals.append(arrived)
                    self._heard.append((int.from_bytes(data[4:8], "big"), data[12:]))

    def _send_rtp(self) -> None:
        sequence = timestamp = 5000
        pace = Pace(self._closing)
        pending: deque[bytes] = deque()
        while (remote := self.remote) is not None:
            if not pending:
                frame = self._frames.popleft() if self._frames else _SILENCE
                due = timestamp + pace.missed
                if len(frame) == 1:
                    pending.extend(digit_packets(frame.decode(), sequence, due))
                else:
                    pending.append(packet(PCMU, sequence, due, frame))
                sequence, timestamp = sequence + len(pending), timestamp + len(pending) * FRAME
            self.rtp.sendto(pending.popleft(), remote)
            if not pace.wait(FRAME):
                return

    # ------------------------------------------------------------ life

    def close(self) -> None:
        """Hang up if need be, and stop."""
        try:
            if self.remote is not None:
                self.hang_up()
        finally:
            self._closing.set()
            for thread in self._threads:
                thread.join()
            self.sip.close()
            self.rtp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.remote = None  # the failure counts, not that nobody answers a BYE any more
        self.close()


def _udp() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("127.0.0.1", 0))
    endpoint.settimeout(_POLL_S)
    return endpoint


def _is_final(text: str, method: str) -> bool:
    status = re.match(r"SIP/2\.0 ([2-6]\d\d) ", text)
    return status is not None and re.search(rf"^CSeq:\s*\d+ {method}\s*$", text, re.MULTILINE) is not None


def _answer(request: str, contact: str = "", body: str = "") -> str:
    """200 with the headers that a response repeats (RFC 3261 §8.2.6.2)."""
    kept = [line for line in request.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]
    own = [contact, "Content-Type: application/sdp"] if body else []
    return "\r\n".join(["SIP/2.0 200 OK", *kept, *own, f"Content-Length: {len(body)}", "", body])
