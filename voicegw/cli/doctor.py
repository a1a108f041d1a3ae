"""``voicegw doctor``: what this machine lacks for calls, and what to do about it."""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import ipaddress
import os
import resource
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.installing import pip_install
from voicegw.cli.control import connected
from voicegw.config import Config, load_config
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.local_addresses import route_source
from voicegw.inference.vad.silero import SileroVad
from voicegw.sdp.security import SrtpPolicy
from voicegw.server import load_offline

_TIME_ERROR = 5
"""State of the clock in adjtimex(2): not synchronised."""
FAR_AWAY = "198.51.100.1"
"""A documentation address (RFC 5737): asking for the route towards it sends nothing."""


class Grade(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and the fix if it needs one."""

    grade: Grade
    topic: str
    text: str
    fix: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; 1 if anything would keep calls from working."""
    config = load_config(arguments.config)
    failed = False
    for check in CHECKS:
        for finding in check(config):
            failed = failed or finding.grade is Grade.FAIL
            print(f"{finding.grade.value:>4}  {finding.topic}: {finding.text}")
            if finding.fix:
                print(f"      -> {finding.fix}")
    return 1 if failed else 0


def _ok(topic: str, text: str) -> Finding:
    return Finding(Grade.OK, topic, text)


def _python(_config: Config) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _ok("python", version)


def _is_running(config: Config) -> bool:
    """Whether a server of this configuration runs here, so that its ports are taken as they should be."""
    try:
        with connected(Path(config.paths.control)):
            return True
    except LocalError:
        return False


def _sip_port(config: Config) -> Iterator[Finding]:
    running = _is_running(config)
    for listener in config.sip.reached_by:
        kind = socket.SOCK_STREAM if listener.kind.is_reliable else socket.SOCK_DGRAM
        place = f"{listener.address}/{listener.transport}"
        reason = _bind_error(listener.ip, listener.port, kind)
        if reason and running:
            yield _ok("sip port", f"{place} is taken, and the server of this configuration runs")
        elif reason:
            fix = "stop the program that has it (ss -lntup), or set sip.listen_port or sip.listeners"
            yield Finding(Grade.FAIL, "sip port", f"{place} cannot be bound: {reason}", fix)
        else:
            yield _ok("sip port", f"{place} is free")
        yield from _certificate(listener)


def _certificate(listener: ListenerConfig) -> Iterator[Finding]:
    if listener.tls is None:
        return
    try:
        listener.tls.context()
    except LocalError as error:
        fix = "a PEM file with the whole chain, one with its key, and both readable by this user"
        yield Finding(Grade.FAIL, "sip certificate", str(error), fix)
    else:
        yield _ok("sip certificate", f"{listener.certificate} can be used")


def _rtp_ports(config: Config) -> Iterator[Finding]:
    low, high = config.media.port_low, config.media.port_high
    sample = range(low, high, max(2, (high - low) // 64))
    taken = [port for port in sample if _bind_error(config.sip.listen_ip, port)]
    pairs = (high - low + 1) // 2
    text = f"{low}-{high}/udp, {pairs} legs"
    if taken and not _is_running(config):
        yield Finding(
            Grade.WARN,
            "rtp ports",
            f"{text}; {len(taken)} of {len(sample)} sampled are taken, such as {taken[0]}",
            "set media.port_low and media.port_high to a range of their own",
        )
    elif pairs < 2 * config.limits.max_calls:
        fix = "widen media.port_low..port_high: closed ports rest for some seconds before they are used again"
        yield Finding(Grade.WARN, "rtp ports", f"{text}, for {config.limits.max_calls} calls", fix)
    else:
        yield _ok("rtp ports", text)


def _bind_error(ip: str, port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> str:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((ip, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _address(config: Config) -> Iterator[Finding]:
    own = route_source(FAR_AWAY)
    if config.sip.advertised_ip:
        yield _ok("address", f"peers are told {config.sip.advertised_ip}, as configured; this machine has {own}")
    elif own.startswith("127."):
        fix = "connect the machine to a network, or set sip.advertised_ip"
        yield Finding(Grade.WARN, "address", "there is no route out: only this machine can call", fix)
    elif ipaddress.ip_address(own).is_private:
        fix = (
            "for callers from outside behind NAT, set sip.advertised_ip to the public address and forward the ports"
        )
        yield Finding(Grade.WARN, "address", f"{own} is private", fix)
    else:
        yield _ok("address", own)


def _codecs(config: Config) -> Iterator[Finding]:
    yield _ok("codecs", ", ".join((*config.sip.codecs, "telephone-event")))


def _srtp(config: Config) -> Iterator[Finding]:
    security = config.sip.media_security
    if security.policy is not SrtpPolicy.OFF and not security.suites:
        fix = pip_install("pylibsrtp")
        yield Finding(Grade.WARN, "srtp", "there is none: its library cannot be loaded", fix)
    elif security.policy is not SrtpPolicy.OFF and security.in_clear:
        fix = "remove sip.srtp_in_clear, and reach us by TLS"
        yield Finding(Grade.WARN, "srtp", f"{security.policy}, and its keys can be read on the way", fix)
    else:
        yield _ok("srtp", security.policy)


def _models(config: Config) -> Iterator[Finding]:
    try:
        SileroVad(1)
    except ConfigError as error:
        yield Finding(Grade.FAIL, "vad model", error.message, error.fix or "run scripts/run")
    else:
        yield _ok("vad model", "Silero loads")
    try:
        from pocketsphinx import get_model_path
    except ImportError as error:
        grade = Grade.FAIL if config.speech.asr == "pocketsphinx" else Grade.WARN
        yield Finding(grade, "asr", f"pocketsphinx does not import: {error}", "run scripts/run")
    else:
        found = Path(get_model_path("en-us")).is_dir()
        yield (
            _ok("asr", "pocketsphinx with its en-us model")
            if found
            else Finding(
                Grade.FAIL,
                "asr",
                "the en-us model of pocketsphinx is missing",
                "reinstall the package pocketsphinx",
            )
        )


def _voices(config: Config) -> Iterator[Finding]:
    flite = ctypes.util.find_library("flite_cmu_us_slt")
    espeak = shutil.which("espeak-ng")
    for name, found in (("flite", flite), ("espeak", espeak)):
        package = {"flite": "flite", "espeak": "espeak-ng"}[name]
        if found:
            yield _ok("tts", f"{name}: {found}")
        elif name in config.speech.tts:
            grade = Grade.FAIL if len(config.speech.tts) == 1 else Grade.WARN
            yield Finding(grade, "tts", f"{name} is not installed", f"apt-get install {package}")


def _clock(_config: Config) -> Iterator[Finding]:
    resolution = time.get_clock_info("monotonic").resolution
    if resolution > 0.001:
        yield Finding(Grade.FAIL, "clock", f"ticks of {resolution} s are too coarse for 20 ms packets")
    before = time.monotonic()
    time.sleep(0.02)
    late_ms = (time.monotonic() - before - 0.02) * 1000
    if late_ms > 5:
        fix = "the machine is overloaded or its clock is virtual: give the media worker a core of its own"
        yield Finding(Grade.WARN, "clock", f"a 20 ms sleep came back {late_ms:.1f} ms late", fix)
    else:
        yield _ok("clock", f"a 20 ms sleep came back {late_ms:.2f} ms late")
    fix = "install chrony: records carry wrong times, and signed callers and nodes of a cluster go by the clock"
    if time.time() < 1_750_000_000:
        yield Finding(Grade.WARN, "clock", "the date is in the past", fix)
    elif not _is_synchronised():
        yield Finding(Grade.WARN, "clock", "nothing keeps it right (adjtimex: not synchronised)", fix)


def _is_synchronised() -> bool:
    """What the kernel was told by whoever sets the clock; true where it cannot be asked."""
    timex = ctypes.create_string_buffer(512)  # modes 0: asks, and changes nothing
    try:
        state: int = ctypes.CDLL(None).adjtimex(timex)
    except (AttributeError, OSError):
        return True
    return state != _TIME_ERROR


def _limits(config: Config) -> Iterator[Finding]:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 6 * config.limits.max_calls + 256
    if soft < needed:
        fix = f"ulimit -n {needed}, or LimitNOFILE={needed} in the service unit"
        yield Finding(Grade.WARN, "open files", f"{soft} are allowed, {needed} may be needed", fix)
    else:
        yield _ok("open files", str(soft))
    cores = os.cpu_count() or 1
    if cores < 2:
        fix = "two cores at least: one for media, one for the rest"
        yield Finding(Grade.WARN, "cores", str(cores), fix)
    else:
        yield _ok("cores", str(cores))


def _disk(config: Config) -> Iterator[Finding]:
    places = {"recordings": config.paths.recordings, "spool": config.store.spool, "call logs": config.paths.calls}
    for topic, path in places.items():
        if not path:
            continue
        folder = _existing(Path(path))
        free_gb = shutil.disk_usage(folder).free / 1e9
        if not os.access(folder, os.W_OK):
            yield Finding(
                Grade.FAIL, topic, f"{folder} is not writable", "change its owner, or set paths in the file"
            )
        elif free_gb < 2:
            yield Finding(
                Grade.WARN, topic, f"{free_gb:.1f} GB free in {folder}", "an hour of calls takes 115 MB each"
            )
        else:
            yield _ok(topic, f"{free_gb:.0f} GB free in {folder}")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _dialplan(config: Config) -> Iterator[Finding]:
    try:
        installation = load_offline(config)
    except ConfigError as error:
        yield Finding(Grade.FAIL, "dialplan", str(error), "voicegw check shows the same")
    else:
        count = len(installation.dialplan.routes)
        yield _ok("dialplan", f"{count} routes, agents: {', '.join(sorted(installation.agents))}")


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _python,
    _address,
    _sip_port,
    _rtp_ports,
    _codecs,
    _srtp,
    _models,
    _voices,
    _dialplan,
    _clock,
    _limits,
    _disk,
)
