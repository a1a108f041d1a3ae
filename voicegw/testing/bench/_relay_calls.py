"""Calls by baresip through bad networks, all at once: one for each network, its audio and reports through relays.

The server is told to say in its descriptions that its audio is at an address that is the relays' own, and they have
the ports there that it has at its own. It learns from where packets come, and answers there. There are as many
pairs of ports as calls: the call that gets a port has the network of the relays on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.base.errors import LocalError
from voicegw.call.facts import Entry, MediaWasMeasured, RecordingHasEnded
from voicegw.testing.bench._baresip import Baresip, PhoneCodec
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.impairment import CATALOGUE
from voicegw.testing.impairment_relay import ImpairmentRelay, Way
from voicegw.testing.ports import free_port, free_ports

Pcm = NDArray[np.int16]

PHONE: Final = "192.0.2.77"
SERVER: Final = "192.0.2.78"
RELAY: Final = "192.0.2.79"
ADDRESSES: Final = (PHONE, SERVER, RELAY)
FRAME_S: Final = 0.02
_END_S: Final = 180.0
_SEEDS: Final = 4
"""Of each call: both directions of its audio and of its reports."""
_IDLE_DBOV: Final = 0.0
"""No line is louder, so that nobody is heard to speak: recognisers would take the processor from the media."""


@dataclass(frozen=True, slots=True)
class RelayedCall:
    """One call through one network. ``caller`` and ``agent`` are the channels of its recording, ``heard`` what the
    caller heard, all at the rate of the call; ``there`` and ``back`` are what the relay counted."""

    network: str
    call_hz: int
    media: MediaWasMeasured
    caller: Pcm
    agent: Pcm
    heard: Pcm
    there: Way
    back: Way

    @property
    def said_after_s(self) -> float:
        """How long after the beginning of the recording the phone began to speak, by the relay's clock.

        The recording ends with the last packet of ours, so that it begins a frame before it for each that it has.
        The first packets went by without the relay, until it was known.
        """
        frames = round(len(self.agent) / self.call_hz / FRAME_S)
        return self.there.began_at - (self.back.began_at + (self.back.received - frames) * FRAME_S)


class RelayedCalls:
    """Calls to agents that say ``lines`` one after the other and hang up, each in one of ``voices``."""

    def __init__(self, home: Path, lines: Sequence[str], voices: Sequence[str], networks: Sequence[str]) -> None:
        self._home = home
        self._networks = networks
        self._batches = 0
        (home / "agents").mkdir(parents=True)
        steps: list[object] = [{"say": {"text": line, "interruptible": False}} for line in lines]
        for voice in voices:
            agent = {"name": voice, "voice": voice, "steps": [*steps, {"hangup": "Goodbye."}]}
            (home / "agents" / f"{voice}.yaml").write_text(yaml.safe_dump(agent))
        routes = [{"name": voice, "match": {"called": voice}, "agent": voice} for voice in voices]
        (home / "dialplan.yaml").write_text(yaml.safe_dump({"routes": routes}))

    async def run(self, codec: PhoneCodec, voice: str, speech: Pcm, seed: int) -> list[RelayedCall]:
        """A server and a call through each network, all at once, until the agent hangs up. LocalError if not."""
        self._batches += 1
        home = self._home / f"batch-{self._batches}"
        first = free_ports(2 * len(self._networks), SERVER)
        sip_port = free_port(SERVER)
        node = NodeProcess(home, self._sections(home, first, sip_port))
        with ExitStack() as stack:
            async with node:
                relays = stack.enter_context(_relays(first, self._networks, seed))
                phones = {
                    f"phone{place}": stack.enter_context(
                        Baresip(home / f"phone{place}", PHONE, f"phone{place}", codec, speech)
                    )
                    for place in range(len(self._networks))
                }
                uri = f"sip:{voice}@{SERVER}:{sip_port}"
                try:
                    await asyncio.to_thread(_call, list(phones.values()), uri)
                except LocalError as error:
                    raise LocalError(f"{error}\nthe server: {dict(node.complaints())}") from error
            logs = node.logs()
            return [
                _read(name, relay, logs[user], phones[user])
                for name, relay in relays.items()
                for user in [_caller_of(relay, phones)]
            ]

    def _sections(self, home: Path, first_port: int, sip_port: int) -> dict[str, dict[str, object]]:
        own = {name: str(home / name) for name in ("calls", "recordings")}
        shared = {name: str(self._home / name) for name in ("agents", "cache")}
        return {
            # Descriptions have the relays' address, Via and Contact that of the socket.
            "sip": {
                "overload_ms": 10_000,
                "listeners": [
                    {
                        "transport": "udp",
                        "ip": SERVER,
                        "port": sip_port,
                        "advertised_ip": RELAY,
                        "advertised_name": SERVER,
                    }
                ],
            },
            "media": {
                "port_low": first_port,
                "port_high": first_port + 2 * len(self._networks) - 1,
                "full_busy": 1.0,
                "full_late": 1.0,
                "vad": {"quiet_dbov": _IDLE_DBOV},
            },
            "paths": {**own, **shared, "dialplan": str(self._home / "dialplan.yaml")},
            "speech": {"asr_workers": 1},
        }


@contextmanager
def _relays(first_port: int, networks: Sequence[str], seed: int) -> Iterator[dict[str, ImpairmentRelay]]:
    """The relay of the audio of each network; that of its reports is on the port behind it."""
    with ExitStack() as stack:
        relays = {}
        for place, name in enumerate(networks):
            for number in (0, 1):
                port = first_port + 2 * place + number
                own_seed = _SEEDS * (seed * len(networks) + place) + 2 * number
                relay = ImpairmentRelay((RELAY, port), (SERVER, port), CATALOGUE[name], own_seed)
                stack.enter_context(relay)
                relays[name, number] = relay
        yield {name: relays[name, 0] for name in networks}


def _call(phones: Sequence[Baresip], uri: str) -> None:
    """One after the other dials, then all talk until the agents hang up."""
    for phone in phones:
        phone.dial(uri)
    for phone in phones:
        phone.wait("CALL_CLOSED", _END_S)


def _caller_of(relay: ImpairmentRelay, phones: Mapping[str, Baresip]) -> str:
    """Whose audio came through the relay."""
    found = [user for user, phone in phones.items() if relay.peer is not None and relay.peer[1] in phone.rtp_ports]
    if len(found) != 1:
        raise LocalError("a call has not gone through its relay")
    return found[0]


def _read(network: str, relay: ImpairmentRelay, log: Sequence[Entry], phone: Baresip) -> RelayedCall:
    facts = [entry.data for entry in log]
    media = [fact for fact in facts if isinstance(fact, MediaWasMeasured)]
    files = [fact.path for fact in facts if isinstance(fact, RecordingHasEnded)]
    if len(media) != 1 or len(files) != 1:
        raise LocalError(f"the call through {network} has {len(media)} records and {len(files)} recordings")
    audio = wav.parse(Path(files[0]).read_bytes())
    caller, agent = audio.samples[:, 0], audio.samples[:, 1]
    return RelayedCall(network, audio.rate, media[0], caller, agent, phone.heard(), relay.there, relay.back)
