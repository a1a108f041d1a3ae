"""SRTP of one leg: between its sockets and whatever reads and writes plain RTP and RTCP there.

Nobody above sees a packet that is not authentic, so nothing is learned from one: no address, no SSRC, no digit. A
stream lives as long as its key, whatever happens to direction, codec or address: made anew with the same key it
would encrypt two packets with the same keystream (RFC 3711 §9.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voicegw.base.metrics import Counters
from voicegw.media.messages import LegKeys
from voicegw.media.sockets import Address, PortPair
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import is_report
from voicegw.rtp.srtp import FORGED, SealPlace, SrtpKey, SrtpReceiver, SrtpSender

REFUSED: Final = -1
"""In place of a size: a packet that is not authentic, or has come before."""
_NOTHING: Final = (-1, -1)
_HALF: Final = 0x8000
_TOLD_EVERY: Final = 0x2000
"""Packets, 164 s of 20 ms: whoever goes on from the last that was told is still far from half a sequence off."""
_STRIDE: Final = 0x6000
"""Between two numbers with which a receiver is led through the sequence: well below half of it."""


class SecurePorts:
    """The ports of a leg under keys that may change. ``forged`` and ``replayed`` count what was refused."""

    def __init__(
        self, ports: PortPair, keys: LegKeys, counters: Counters, heard_ssrc: int = -1, heard_to: int = 0
    ) -> None:
        """``heard_ssrc`` was heard up to ``heard_to`` by another worker; -1 for a stream that begins.

        LocalError for a suite that this machine does not have.
        """
        self._ports = ports
        self.send_sealed = ports.rtp.sendto
        """For what :meth:`seal` has made."""
        self._receive_into = ports.rtp.recvfrom_into
        self._counters = counters
        self.keys = keys
        self._sender = SrtpSender(SrtpKey(keys.suite, keys.send))
        self._receiver = (
            SrtpReceiver(_receive_key(keys)) if heard_ssrc < 0 else led_to(_receive_key(keys), heard_ssrc, heard_to)
        )
        self._ssrc, self._index = heard_ssrc, heard_to
        self._told = _NOTHING
        self._others: list[SrtpReceiver] = []
        """Who else is asked about packets that seem forged, until the key in force has proven itself."""
        self.forged = 0
        self.replayed = 0

    def follow(self, ssrc: int, reached: int) -> bool:
        """The peer's sequence has come to ``reached``; True where another worker should know (:attr:`stream`).

        To be told more often than half a sequence lasts. -1 is no stream.
        """
        if ssrc < 0:
            return False
        if ssrc != self._ssrc:
            self._ssrc, self._index = ssrc, reached
        else:
            self._index += ((reached - self._index + _HALF) & 0xFFFF) - _HALF
        stage = ssrc, self._index // _TOLD_EVERY
        if self._others or stage == self._told:
            return False
        self._told = stage
        return True

    @property
    def stream(self) -> tuple[int, int]:
        """The peer's SSRC and the packet that it has come to, counted on past 16 bits under its key."""
        return self._ssrc, self._index

    def change(self, keys: LegKeys) -> bool:
        """Put other keys in force. True if those that we send with are among them.

        The old key goes on for what is under way; and where the sequence has begun anew since its start, the peer
        may count the rollovers on under the new key, as RFC 3711 §3.3.1 has it, or start over, as most do.
        """
        old, self.keys = self.keys, keys
        if _receive_key(keys) != _receive_key(old):
            self._told = _NOTHING
            self._others = [self._receiver]
            self._receiver = SrtpReceiver(_receive_key(keys))
            if self._index >> 16:
                self._others.append(led_to(_receive_key(keys), self._ssrc, self._index))
        if (keys.suite, keys.send) == (old.suite, old.send):
            return False
        self._sender = SrtpSender(SrtpKey(keys.suite, keys.send))
        return True

    def send(self, packet: memoryview | bytes, address: Address) -> int:
        """Like ``sendto`` of the RTP socket, for a plain packet."""
        made = self._sender.protect(packet)
        if made is None:
            raise OSError("the SRTP key is worn out")
        return self._ports.rtp.sendto(made, address)

    def seal(self, place: SealPlace, size: int) -> int:
        """See :meth:`~voicegw.rtp.srtp.SrtpSender.seal`."""
        return self._sender.seal(place, size)

    def send_report(self, packet: memoryview | bytes, address: Address) -> int:
        """Like ``sendto`` of the RTCP socket."""
        return self._ports.rtcp.sendto(self._sealed_report(packet), address)

    def send_muxed(self, packet: memoryview | bytes, address: Address) -> int:
        """The same from the RTP socket (RFC 5761)."""
        return self._ports.rtp.sendto(self._sealed_report(packet), address)

    def _sealed_report(self, packet: memoryview | bytes) -> memoryview:
        made = self._sender.protect_report(packet)
        if made is None:
            raise OSError("the SRTP key is worn out")
        return made

    def receive(self, view: memoryview) -> tuple[int, Address]:
        """Like ``recvfrom_into`` of the RTP socket; the size is REFUSED for what is not authentic."""
        receiver = self._receiver
        buffer = receiver.buffer
        size, address = self._receive_into(buffer)
        if self._others or is_report(buffer[:2]):
            return self._receive_unusual(size, view), address
        plain = receiver.unprotect(size)
        if plain < 0:
            self._refuse(plain)
            return REFUSED, address
        plain = min(plain, len(view))
        view[:plain] = buffer[:plain]
        return plain, address

    def _receive_unusual(self, size: int, view: memoryview) -> int:
        """RTCP on the port of RTP, or a packet under keys that have just changed."""
        if is_report(self._receiver.buffer[:size]):
            return self._open(SrtpReceiver.unprotect_report, size, view)
        return self._open(SrtpReceiver.unprotect, size, view)

    def receive_report(self, view: memoryview) -> tuple[int, Address]:
        """Like ``recvfrom_into`` of the RTCP socket."""
        size, address = self._ports.rtcp.recvfrom_into(self._receiver.buffer)
        return self._open(SrtpReceiver.unprotect_report, size, view), address

    def _open(self, work: Callable[[SrtpReceiver, int], int], size: int, view: memoryview) -> int:
        receiver = self._receiver
        if self._others:
            plain = self._open_in_doubt(work, size)
            receiver = self._receiver
        else:
            plain = work(receiver, size)
        if plain < 0:
            self._refuse(plain)
            return REFUSED
        plain = min(plain, len(view))
        view[:plain] = receiver.buffer[:plain]
        return plain

    def _open_in_doubt(self, work: Callable[[SrtpReceiver, int], int], size: int) -> int:
        """After a change of keys: whoever can open the packet is right, but the old key only for now."""
        packet = bytes(self._receiver.buffer[:size])
        plain = work(self._receiver, size)
        if plain != FORGED:
            self._others.clear()
            if plain > 0 and not is_report(self._receiver.buffer[:plain]):
                self._index = int.from_bytes(self._receiver.buffer[2:4], "big")  # it has started over
            return plain
        for place, other in enumerate(self._others):
            other.buffer[:size] = packet
            found = work(other, size)
            if found < 0:
                continue
            if place:
                self._receiver = other
                self._others.clear()
            else:
                self._receiver.buffer[:found] = other.buffer[:found]
            return found
        return plain

    def _refuse(self, why: int) -> None:
        if why == FORGED:
            self.forged += 1
            self._counters.add("srtp_forged")
        else:
            self.replayed += 1
            self._counters.add("srtp_replayed")


def _receive_key(keys: LegKeys) -> SrtpKey:
    return SrtpKey(keys.suite, keys.receive, keys.receive_mki)


def led_to(key: SrtpKey, ssrc: int, received_to: int) -> SrtpReceiver:
    """A receiver that counts rollovers as if it had heard ``ssrc`` up to ``received_to`` (counted past 16 bits).

    The library has no way to be told, but it believes packets, and who has the key can make them.
    """
    sender, receiver = SrtpSender(SrtpKey(key.suite, key.secret)), SrtpReceiver(SrtpKey(key.suite, key.secret))
    for number in range(0, received_to, _STRIDE):
        made = sender.protect(RtpPacket(0, number & 0xFFFF, 0, ssrc, b"").to_bytes())
        if made is not None:
            receiver.buffer[: len(made)] = made
            receiver.unprotect(len(made))
    receiver.mki = key.mki
    return receiver
