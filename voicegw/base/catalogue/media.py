"""Media workers: their ticks, packets, and how legs sound."""

from __future__ import annotations

from typing import Final

from voicegw.base.catalogue.metric import DEPTH_S, FAST_S, MOS, Metric, counted, counted_each, level, timed

MEDIA: Final[tuple[Metric, ...]] = (
    counted("media_rtp_send_errors", "Audio packets that the kernel did not take."),
    counted("media_rtp_receive_errors", "Failures to read an audio packet."),
    counted_each(
        "reason",
        "media_rtp",
        ("unexpected", "wrong_payload_type", "wrong_source", "oversized", "malformed"),
        "Audio packets that were not taken.",
        "media_rtp_rejected",
    ),
    counted("media_srtp_forged", "SRTP packets with a wrong tag."),
    counted("media_srtp_replayed", "SRTP packets that had come before."),
    counted("media_rtcp_send_errors", "RTCP packets that the kernel did not take."),
    counted("media_rtcp_receive_errors", "Failures to read an RTCP packet."),
    counted("media_rtcp_wrong_source", "RTCP from elsewhere than the peer."),
    counted("media_rtcp_malformed", "RTCP that cannot be read."),
    counted("media_rtcp_byes", "RTCP BYEs of peers."),
    counted("media_lost_frames", "Frames of 20 ms that were never sent, because a worker was held up too long."),
    counted("media_taps_dropped", "Frames for recognisers that found no room on the way to the gateway."),
    counted("media_events_dropped", "Events that found no room on the way to the gateway."),
    counted("media_commands_malformed", "Commands that a worker could not read."),
    counted("media_commands_for_unknown_leg", "Commands for a leg that was over."),
    counted("media_commands_for_unknown_call", "Commands for a call that was over."),
    counted("media_dtmf_not_sendable", "Keys that could not be sent."),
    counted("media_stale_audio_refused", "Audio of an utterance that was over."),
    counted("media_recordings_failed", "Recordings that a worker could not go on with."),
    counted("media_worker_lost", "Media workers that died or stalled.", "media_workers_lost"),
    counted("media_calls_lost", "Calls that no media worker could go on with."),
    counted("media_ticks", "Ticks of 20 ms."),
    counted("media_late_ticks", "Ticks that began more than 2 ms late."),
    timed("media_tick_seconds", "Work of one tick, for all legs of a worker.", FAST_S),
    timed("media_tick_lateness_seconds", "How late after its deadline a tick began.", FAST_S),
    timed(
        "media_departure_jitter_seconds",
        "By how much the time between the departures of two frames was not 20 ms, once a tick.",
        FAST_S,
    ),
    timed("media_jitter_buffer_seconds", "Depth of a leg's jitter buffer, every five seconds.", DEPTH_S),
    timed(
        "media_mos",
        "How a leg sounded in the last five seconds, 1 to 4.5 (ITU-T G.107): as we receive it, and as the peer "
        "reports that it does.",
        MOS,
        "direction",
        ("received", "sent"),
    ),
    timed(
        "media_loss_ratio",
        "Of a leg, packets that were lost or late in the last five seconds.",
        (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    ),
    timed("media_round_trip_seconds", "Of a leg, as far as RTCP tells, every five seconds.", DEPTH_S),
    level("media_worker_up", "1 while a media worker reports.", "worker"),
    level("media_worker_legs", "Legs of a media worker.", "worker"),
    level("media_worker_busy_ratio", "Part of the time that a media worker works, 0 to 1.", "worker"),
    level("media_worker_late_ratio", "Part of its last ticks that began late, 0 to 1.", "worker"),
    level("media_worker_worst_lateness_seconds", "The latest of its last ticks.", "worker"),
    level("media_worker_ports_free", "Pairs of ports that are not in use.", "worker"),
    level("media_worker_resident_memory_bytes", "Resident memory of a media worker.", "worker"),
    level("media_worker_open_fds", "Open descriptors of a media worker.", "worker"),
    level("media_has_room", "1 while a new call would be carried well."),
)
