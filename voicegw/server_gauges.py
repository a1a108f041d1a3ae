"""The levels of a node for metrics: calls, trunks, media workers, certificates, disks, the process itself.

Called in the API's thread at each scrape: it only looks, and remembers what is costly to look at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509

import voicegw
from voicegw.call.states import CallState, call_state
from voicegw.config import Config
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_status import TrunkStatus, statuses
from voicegw.media.pool import MediaPool
from voicegw.runtime.node import Node
from voicegw.server_phones import NodePhones

_MB: Final = 1_000_000
_SIZES_S: Final = 30.0
"""How old the size of all recordings may be: there may be a hundred thousand of them."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

Gauges = dict[str, float]


class NodeGauges:
    """All levels of one node, and the counters that the kernel keeps."""

    def __init__(self, config: Callable[[], Config], node: Node, phones: NodePhones | None) -> None:
        """``config``: what is in force at the moment."""
        self._config = config
        self._node = node
        self._phones = phones
        self._recordings = _Recordings(config)

    def counters(self) -> Mapping[str, int]:
        """Those of the node, and its CPU time."""
        return {**self._node.counters.snapshot(), "process_cpu_ms": _cpu_ms()}

    def gauges(self) -> Mapping[str, float]:
        """By the names of the catalogue."""
        found: Gauges = {
            f"build_info_{voicegw.__version__}": 1.0,
            **self._node.gauges(),
            **self._calls(),
            **process_levels(),
            **self._recordings.levels(),
            **_certificates(self._config()),
        }
        if isinstance(self._node.gateway, SipGateway):
            found |= trunk_levels(statuses(self._node.gateway.trunks, self._node.gateway.watch.snapshot()))
        if isinstance(self._node.media, MediaPool):
            found |= _media(self._node.media)
        if self._phones is not None and self._phones.domain:
            found["phones_registered"] = float(sum(one.registered for one in self._phones.snapshot().values()))
        return found

    def _calls(self) -> Gauges:
        counted = dict.fromkeys(CallState, 0)
        for call in self._node.manager.calls():
            counted[call_state(leg.state for leg in tuple(call.machine.legs.values()))] += 1
        return {f"calls_by_state_{state.value}": float(count) for state, count in counted.items()}


def trunk_levels(trunks: Iterable[TrunkStatus]) -> Gauges:
    """Of those that are switched on: one that is off on purpose is not down, and nobody is to be called for it."""
    found: Gauges = {}
    for trunk in trunks:
        if trunk.enabled:
            found |= _trunk(trunk)
    return found


def _trunk(trunk: TrunkStatus) -> Gauges:
    found = {
        f"trunk_up_{trunk.name}": float(trunk.up),
        f"trunk_calls_{trunk.name}": float(trunk.calls),
        f"trunk_calls_limit_{trunk.name}": float(trunk.max_calls),
    }
    if trunk.registration is not None:
        found[f"trunk_registered_{trunk.name}"] = float(trunk.registration.registered)
    if trunk.health is not None and trunk.health.round_trip_ms > 0:
        found[f"trunk_round_trip_seconds_{trunk.name}"] = trunk.health.round_trip_ms / 1000
    return found


def _media(media: MediaPool) -> Gauges:
    found: Gauges = {"media_has_room": float(media.has_room)}
    for index, worker in enumerate(media.states()):
        found[f"media_worker_up_{index}"] = float(worker.up)
        if worker.up and worker.report is not None:
            report = worker.report
            found[f"media_worker_legs_{index}"] = float(report.legs)
            found[f"media_worker_busy_ratio_{index}"] = report.busy_ratio
            found[f"media_worker_late_ratio_{index}"] = worker.late_ratio
            found[f"media_worker_worst_lateness_seconds_{index}"] = report.worst_lateness_ms / 1000
            found[f"media_worker_ports_free_{index}"] = float(report.ports_free)
        if worker.pid is not None:
            found |= _of_process(worker.pid, index)
    return found


def _of_process(pid: int, index: int) -> Gauges:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, IndexError, ValueError):
        return {}  # just ended, or a system without /proc
    return {
        f"media_worker_resident_memory_bytes_{index}": float(pages * _PAGE),
        f"media_worker_open_fds_{index}": float(descriptors),
    }


# ------------------------------------------------------------ the process


def process_levels() -> Gauges:
    """What the kernel knows of this process; nothing where it does not tell."""
    try:
        virtual, resident = Path("/proc/self/statm").read_text().split()[:2]
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return {}
    return {
        "process_virtual_memory_bytes": float(int(virtual) * _PAGE),
        "process_resident_memory_bytes": float(int(resident) * _PAGE),
        "process_open_fds": float(descriptors),
        "process_max_fds": float(os.sysconf("SC_OPEN_MAX")),
        "process_threads": float(fields[17]),
        "process_start_time_seconds": _booted_at() + int(fields[19]) / _TICKS,
    }


@lru_cache(maxsize=1)
def _booted_at() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def _cpu_ms() -> int:
    times = os.times()
    return round((times.user + times.system) * 1000)


# ------------------------------------------------------------ disks and certificates


@dataclass(slots=True)
class _Recordings:
    config: Callable[[], Config]
    monotonic: Callable[[], float] = time.monotonic
    _looked_at: float = float("-inf")
    _bytes: int = 0
    _folder: str = ""

    def levels(self) -> Gauges:
        """Of the folder and its disk; nothing where there are no recordings."""
        config = self.config()
        folder, quota = config.paths.recordings, config.recording
        if not folder:
            return {}
        try:
            disk = os.statvfs(folder)
            if folder != self._folder or self.monotonic() - self._looked_at >= _SIZES_S:
                self._folder, self._looked_at, self._bytes = folder, self.monotonic(), _size_of(folder)
        except OSError:
            return {}
        return {
            "recordings_bytes": float(self._bytes),
            "recordings_limit_bytes": float(quota.max_total_mb * _MB),
            "recordings_disk_free_bytes": float(disk.f_bavail * disk.f_frsize),
            "recordings_disk_keep_free_bytes": float(quota.keep_free_mb * _MB),
        }


def _size_of(folder: str) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                total += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue  # renamed or erased meanwhile
    return total


def _certificates(config: Config) -> Gauges:
    files = {listener.certificate for listener in config.sip.listeners} | {
        config.sip.tls_client.certificate,
        config.api.tls_cert,
    }
    found: Gauges = {}
    for file in files - {""}:
        try:
            changed = Path(file).stat().st_mtime_ns
        except OSError:
            continue
        if (ends := _expiry(file, changed)) is not None:
            found[f"certificate_expiry_timestamp_seconds_{file}"] = ends
    return found


@lru_cache(maxsize=64)
def _expiry(file: str, _changed: int) -> float | None:
    """When the first certificate in a file ends, Unix time; None for a file without one."""
    try:
        return x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
