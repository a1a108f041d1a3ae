"""What ``voicegw top`` tells: a summary of a node, of its metrics and its running calls, and that as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from voicegw.cli.scrape import Scrape, quantile, rate

Summary: TypeAlias = dict[str, Any]
"""Plain JSON: numbers, texts and lists of them."""
_STAGES: Final = ("endpointing", "asr", "agent", "tts", "playout")
_LATENCIES: Final = (
    ("turn", "voicegw_turn_latency_seconds", {}),
    *((f"  {stage}", "voicegw_turn_stage_seconds", {"stage": stage}) for stage in _STAGES),
    ("barge-in stop", "voicegw_barge_in_stop_seconds", {}),
    ("INVITE to 200", "voicegw_sip_incoming_setup_seconds", {"stage": "answered"}),
    ("INVITE to media", "voicegw_first_media_seconds", {}),
    ("store write", "voicegw_store_write_seconds", {}),
)


def summarise(now: Scrape, before: Scrape | None, calls: Sequence[Mapping[str, Any]] | None) -> Summary:
    """``before``: an earlier page, for rates and quantiles of late; None: since the start. ``calls``: the items of
    ``/v1/live/calls``; None where the key may not see them."""
    earlier = before or Scrape(now.at)
    return {
        "version": next(iter(now.by("voicegw_build_info", "version")), ""),
        "span_s": round(now.at - earlier.at, 1),
        "calls": {
            "states": {state: int(count) for state, count in now.by("voicegw_calls", "state").items()},
            "offered_per_s": round(rate(now, earlier, "voicegw_calls_offered_total"), 3),
            "ended": {
                cause: int(count) for cause, count in now.by("voicegw_calls_ended_total", "cause").items() if count
            },
        },
        "latency_ms": {
            name.strip(): _quantiles(now, before, metric, labels) for name, metric, labels in _LATENCIES
        },
        "mos": {
            direction: quantile(now, before, "voicegw_media_mos", 0.5, direction=direction)
            for direction in ("received", "sent")
        },
        "workers": _workers(now),
        "trunks": _trunks(now),
        "node": {
            "memory_bytes": int(now.value("process_resident_memory_bytes")),
            "descriptors": int(now.value("process_open_fds")),
            "cpu_ratio": round(rate(now, earlier, "process_cpu_seconds_total"), 3) if before else None,
            "has_room": now.value("voicegw_media_has_room") > 0,
            "overloaded": now.value("voicegw_sip_overloaded") > 0,
            "draining": now.value("voicegw_draining") > 0,
            "spool_bytes": int(now.value("voicegw_store_spool_bytes")),
            "bans": int(now.value("voicegw_sip_sources_ignored")),
        },
        "running": None if calls is None else [_call(call) for call in calls],
    }


def _quantiles(now: Scrape, before: Scrape | None, name: str, labels: Mapping[str, str]) -> dict[str, float | None]:
    found = {f"p{round(q * 100)}": quantile(now, before, name, q, **labels) for q in (0.5, 0.95)}
    return {key: None if value is None else round(value * 1000, 1) for key, value in found.items()}


def _workers(now: Scrape) -> list[Summary]:
    levels = {
        key: now.by(f"voicegw_media_worker_{name}", "worker")
        for key, name in (
            ("legs", "legs"),
            ("busy", "busy_ratio"),
            ("late", "late_ratio"),
            ("ports_free", "ports_free"),
            ("memory_bytes", "resident_memory_bytes"),
        )
    }
    up = now.by("voicegw_media_worker_up", "worker")
    return [
        {"worker": worker, "up": bool(up[worker]), **{key: values.get(worker) for key, values in levels.items()}}
        for worker in sorted(up)
    ]


def _trunks(now: Scrape) -> list[Summary]:
    calls, up = now.by("voicegw_trunk_calls", "trunk"), now.by("voicegw_trunk_up", "trunk")
    registered = now.by("voicegw_trunk_registered", "trunk")
    return [
        {
            "trunk": name,
            "up": bool(up[name]),
            "registered": None if name not in registered else bool(registered[name]),
            "calls": int(calls.get(name, 0)),
        }
        for name in sorted(up)
    ]


def _call(call: Mapping[str, Any]) -> Summary:
    names = ("id", "state", "started_at", "called", "calling", "agent", "caller_turns", "risk")
    return {name: call[name] for name in names}


# ------------------------------------------------------------ as lines


def lines_of(summary: Summary, url: str, width: int, height: int) -> list[str]:
    """At most so many lines of so many characters."""
    node, calls = summary["node"], summary["calls"]
    flags = [name for name in ("overloaded", "draining") if node[name]] + ([] if node["has_room"] else ["full"])
    cpu = "" if node["cpu_ratio"] is None else f"  CPU {node['cpu_ratio']:.0%}"
    states = "  ".join(f"{state} {count}" for state, count in calls["states"].items() if state != "ended")
    lines = [
        f"voicegw {summary['version']}  {url}  {' '.join(flags).upper() or 'ok'}",
        f"calls  {states}  offered {calls['offered_per_s']:.2f}/s{cpu}  memory {node['memory_bytes'] / 1e6:.0f} MB"
        f"  descriptors {node['descriptors']}  spool {node['spool_bytes'] / 1e6:.1f} MB  banned {node['bans']}",
        "",
        f"{'latency, ms':<18}{'p50':>9}{'p95':>9}    MOS received {_number(summary['mos']['received'], 2)}"
        f"  sent {_number(summary['mos']['sent'], 2)}",
    ]
    for name, _, _ in _LATENCIES:
        found = summary["latency_ms"][name.strip()]
        lines.append(f"{name:<18}{_number(found['p50']):>9}{_number(found['p95']):>9}")
    lines += ["", f"{'worker':<8}{'up':<5}{'legs':>6}{'busy':>7}{'late':>7}{'ports':>8}{'MB':>7}"]
    lines += [_worker_line(worker) for worker in summary["workers"]]
    if summary["trunks"]:
        lines += ["", f"{'trunk':<24}{'up':<5}{'registered':<12}{'calls':>6}"]
        lines += [_trunk_line(trunk) for trunk in summary["trunks"]]
    lines += ["", *_call_lines(summary["running"])]
    return [line[:width] for line in lines[:height]]


def _worker_line(worker: Summary) -> str:
    memory = worker["memory_bytes"]
    return (
        f"{worker['worker']:<8}{_yes(worker['up']):<5}{_number(worker['legs']):>6}{_share(worker['busy']):>7}"
        f"{_share(worker['late']):>7}{_number(worker['ports_free']):>8}"
        f"{_number(None if memory is None else memory / 1e6):>7}"
    )


def _trunk_line(trunk: Summary) -> str:
    registered = "-" if trunk["registered"] is None else _yes(trunk["registered"])
    return f"{trunk['trunk']:<24}{_yes(trunk['up']):<5}{registered:<12}{trunk['calls']:>6}"


def _call_lines(running: list[Summary] | None) -> list[str]:
    if running is None:
        return ["(the key may not see running calls: it lacks the permission live)"]
    head = f"{'call':<20}{'state':<10}{'from':<18}{'to':<18}{'agent':<16}{'turns':>6}{'risk':>6}"
    return [head] + [
        f"{_plain(call['id']):<20}{_plain(call['state']):<10}{_plain(call['calling'])[:17]:<18}"
        f"{_plain(call['called'])[:17]:<18}{_plain(call['agent'])[:15]:<16}{call['caller_turns']:>6}{call['risk']:>6}"
        for call in running
    ]


def _plain(text: str) -> str:
    """Without control characters: names come from callers, and a terminal obeys what it is sent."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _yes(value: bool) -> str:
    return "yes" if value else "NO"
