"""The SIP server that the SIP bench loads: the product's gateway, an owner that answers at once, and no agents.

With ``--media`` each call gets a port of a real media worker, which sends silence for as long as the call lasts.
Talks JSON lines: prints its address, then what it has used so far for every line that it reads.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.log import configure
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEnded, LegEvent, LegInvited
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.phone_config import PhoneAccount, PhonesConfig
from voicegw.gateway.sip_leg import SipGateway
from voicegw.media.client import MediaClient
from voicegw.media.config import MediaConfig
from voicegw.media.messages import CloseLeg, ConfigureLeg
from voicegw.sdp.negotiate import MediaSession, NotAcceptable
from voicegw.server_media_start import command_line
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.bench._sipp import PASSWORD

MANY: Final = 1_000_000
_HOST: Final = "127.0.0.1"
_NO_MEDIA_PORT: Final = 40_000
_DOMAIN: Final = "bench.invalid"


class BenchServer:
    """Answers every call, with a media port of its own or with one that nobody listens to."""

    def __init__(self, config: SipConfig, media: MediaConfig | None, phones: int) -> None:
        self.counters = Counters()
        self.gateway = SipGateway(
            config,
            self._on_leg,
            random=os.urandom,
            clock=SystemClock(),
            counters=self.counters,
            phones=PhonesConfig(domain=_DOMAIN if phones else "", algorithms=("MD5",)),  # all that sipp knows
        )
        self.gateway.phones.set_accounts(map(_account, range(phones)))
        self.media = None
        if media is not None:
            line = command_line(media, vad=False, log_level="warning")
            self.media = MediaClient(line, lambda _event: None, lambda _reason: None)
        self._opening: set[asyncio.Task[None]] = set()
        self._open: set[LegId] = set()

    async def start(self) -> str:
        """Start and return HOST:PORT."""
        if self.media is not None:
            await self.media.start()
        return str(self.gateway.start())

    async def close(self) -> None:
        """Stop."""
        self.gateway.close()
        if self.media is not None:
            await self.media.close()

    def _on_leg(self, event: LegEvent) -> None:
        match event:
            case LegInvited(leg_id) if self.media is None:
                self._accept(leg_id, _NO_MEDIA_PORT)
            case LegInvited(leg_id):
                task = asyncio.get_running_loop().create_task(self._open_and_accept(leg_id))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            case LegEnded(leg_id) if leg_id in self._open and self.media is not None:
                self._open.discard(leg_id)
                self.media.send(CloseLeg(leg_id))
            case _:
                pass

    async def _open_and_accept(self, leg_id: LegId) -> None:
        assert self.media is not None
        try:
            port = await self.media.open_leg(leg_id, CallId(leg_id), _HOST)
        except LocalError:
            return
        self._open.add(leg_id)
        session = self._accept(leg_id, port)
        if session is None:
            self._open.discard(leg_id)
            self.media.send(CloseLeg(leg_id))
            return
        place = (session.remote_ip, session.remote_port, session.codec, session.payload_type)
        self.media.send(ConfigureLeg(leg_id, *place))

    def _accept(self, leg_id: LegId, port: int) -> MediaSession | None:
        try:
            return self.gateway.accept(leg_id, _HOST, port)
        except NotAcceptable:
            return None

    def usage(self, *, collect: bool) -> dict[str, object]:
        """CPU of this process so far, its memory, and what it holds; ``collect``: garbage first."""
        if collect:
            gc.collect()
        now = self.gateway.snapshot()
        rss_kb = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        return {
            "cpu_s": time.process_time(),
            "rss_kb": rss_kb,
            "calls": now.calls,
            "transactions": now.transactions,
            "half_open": now.half_open,
            "bans": len(now.guard.bans),
            "registered": len(self.gateway.phones.registrar),
            "media_pid": self.media.pid if self.media is not None else None,
            "counters": self.counters.snapshot(),
        }


def _account(number: int) -> PhoneAccount:
    name = f"p{number}"
    return PhoneAccount(name, {Algorithm.MD5: make_ha1(Algorithm.MD5, name, _DOMAIN, PASSWORD)})


def sip_config(*, guarded: bool, tls: Sequence[str] = ()) -> SipConfig:
    """No limits but the machine's; ``guarded``: the limits as they ship, with no trusted network.

    ``tls``: the files of the certificate and its key, for TLS and nothing else.
    """
    if guarded:
        return SipConfig(_HOST, 0, max_calls=2000, guard=GuardConfig(trusted=()))
    listeners = (ListenerConfig("tls", 0, _HOST, certificate=tls[0], key=tls[1]),) if tls else ()
    free = GuardConfig(calls_per_source=MANY)
    return SipConfig(_HOST, 0, max_calls=MANY, max_transactions=MANY, guard=free, listeners=listeners)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until the input ends."""
    media = MediaConfig(port_low=20000, port_high=29999, max_legs=1000) if arguments.media else None
    server = BenchServer(sip_config(guarded=arguments.guarded, tls=arguments.tls), media, arguments.phones)
    show({"address": await server.start()})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        show(server.usage(collect=line.strip() == b"collect"))
    await server.close()


def show(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="_sip_server", description="what the SIP bench loads")
    parser.add_argument("--media", action="store_true")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), default=(), help="listen for TLS only")
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--phones", type=int, default=0, help="so many may register")
    configure("warning")
    asyncio.run(serve(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
