"""A caller's media in another namespace: an :class:`~tests.interop.rtp.RtpPeer` behind standard input and output.

As a program (:func:`main`) it prints its port and then answers lines: ``start HOST PORT`` by playing a
tone, ``packets`` and ``heard`` by what came so far: packets, and seconds of speech.
"""

from __future__ import annotations

import sys

from tests.interop.forked_program import ForkedProgram
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.sound import speech_seconds, tone

CALLER_HZ = 1000
_LONG_S = 120


class FarPhone(ForkedProgram):
    """Runs while the ``with`` block does."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(__name__, namespace.address, namespace=namespace)
        self.port = int(self.read())

    def start(self, host: str, port: int) -> None:
        """Talk to that address."""
        self.ask(f"start {host} {port}")

    def packets(self) -> int:
        """How many packets came so far."""
        return int(self.ask("packets"))

    def speech_s(self) -> float:
        """How much speech came so far."""
        return float(self.ask("heard"))


def main(address: str) -> None:
    """Until standard input ends."""
    with RtpPeer(address) as media:
        print(media.port, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["start", host, port]:
                    media.start((host, int(port)), tone(CALLER_HZ, _LONG_S))
                    print("talks", flush=True)
                case ["packets"]:
                    print(len(media.packets), flush=True)
                case _:
                    print(speech_seconds(media.heard()), flush=True)
