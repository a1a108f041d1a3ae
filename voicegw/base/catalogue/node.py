"""The process and the machine. Names without our prefix are those that every Prometheus client gives a process."""

from __future__ import annotations

from typing import Final

from voicegw.base.catalogue.metric import Kind, Metric, counted, counted_by, level

NODE: Final[tuple[Metric, ...]] = (
    level("build_info", "Always 1; the version is a label.", "version"),
    level("process_resident_memory_bytes", "Resident memory of the gateway.", name="process_resident_memory_bytes"),
    level("process_virtual_memory_bytes", "Virtual memory of the gateway.", name="process_virtual_memory_bytes"),
    level("process_open_fds", "Open descriptors of the gateway.", name="process_open_fds"),
    level("process_max_fds", "Descriptors that it may open.", name="process_max_fds"),
    level("process_threads", "Threads of the gateway.", name="process_threads"),
    level("process_start_time_seconds", "When it was started, Unix time.", name="process_start_time_seconds"),
    Metric(
        "process_cpu_seconds_total",
        Kind.COUNTER,
        "CPU time of the gateway, user and system.",
        ("process_cpu_ms",),
        scale=0.001,
    ),
    level("draining", "1 while the node empties, by order or at its end."),
    level("drain_deadline_seconds", "How long running calls may still last then; 0 while it does not empty."),
    counted("drains_ordered", "Orders to empty the node."),
    counted("drains_undone", "Of these, those that were taken back."),
    counted_by(
        "step",
        "drain_calls_*",
        "Calls that were left at the deadline, by what was done: transfer, goodbye, hangup.",
    ),
    counted("reloads", "Times that the configuration was read anew and put in force."),
    counted("reloads_refused", "Times that it was not, because something in the files was wrong."),
    counted("hep_packets_sent", "SIP messages and reports on audio that were copied to Homer."),
    counted("hep_packets_dropped", "Those that were not: no room, nobody there, or too long."),
    counted("hep_connections_lost", "Connections to Homer that ended."),
    counted("hep_connects_failed", "Attempts to connect to Homer that failed: nobody there, or TLS was refused."),
    counted("traces_sent", "Calls whose traces a collector took."),
    counted("trace_spans_sent", "The spans of these."),
    counted_by(
        "reason",
        "traces_dropped_*",
        "Calls whose traces were dropped: full (too many wait), failed (the collector did not take them).",
    ),
    counted("traces_not_sampled", "Calls that are not traced, because a share is."),
    counted("captures_started", "Packet captures of calls that somebody ordered."),
    counted("capture_packets_dropped", "Packets that found no room on the way to a capture."),
    level("recordings_bytes", "What the recordings take."),
    level("recordings_limit_bytes", "What they may take; 0: no limit of their own."),
    level("recordings_disk_free_bytes", "Room on the disk of the recordings."),
    level("recordings_disk_keep_free_bytes", "Of that, what is not for recordings."),
    counted_by("name", "uncatalogued_*", "What is counted in the code and not in the catalogue; should be none."),
)
