"""A caller's media in another namespace: an :class:`~tests.interop.rtp.RtpPeer` behind standard input and output.

As a program (:func:`main`) it prints its port and then answers lines: ``start HOST PORT HZ`` by playing a
tone, ``packets``, ``heard`` and ``tone HZ`` by what came so far: packets, seconds of speech, seconds of that tone.
"""

from __future__ import annotations

import sys

from tests.interop.forked_program import ForkedProgram
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.sound import seconds_with, speech_seconds, tone

CALLER_HZ = 1000
_LONG_S = 120


class FarPhone(ForkedProgram):
    """Runs while the ``with`` block does."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(__name__, namespace.address, namespace=namespace)
        self.port = int(self.read())

    def start(self, host: str, port: int, hz: int = CALLER_HZ) -> None:
        """Talk to that address: a tone."""
        self.ask(f"start {host} {port} {hz}")

    def packets(self) -> int:
        """How many packets came so far."""
        return int(self.ask("packets"))

    def speech_s(self) -> float:
        """How much speech came so far."""
        return float(self.ask("heard"))

    def tone_s(self, hz: int) -> float:
        """How much of such a tone came so far."""
        return float(self.ask(f"tone {hz}"))


def main(address: str) -> None:
    """Until standard input ends."""
    with RtpPeer(address) as media:
        print(media.port, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["start", host, port, hz]:
                    media.start((host, int(port)), tone(int(hz), _LONG_S))
                    print("talks", flush=True)
                case ["tone", hz]:
                    print(seconds_with(media.heard(), int(hz)), flush=True)
                case ["packets"]:
                    print(len(media.packets), flush=True)
                case _:
                    print(speech_seconds(media.heard()), flush=True)
