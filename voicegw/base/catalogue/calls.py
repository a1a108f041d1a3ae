"""Calls, what became of them, and the facts about them on their way to the database."""

from __future__ import annotations

from typing import Final

from voicegw.base.catalogue.metric import (
    CALL_S,
    SIGNALLING_S,
    WORK_S,
    Metric,
    counted,
    counted_each,
    level,
    timed,
)
from voicegw.base.causes import HangupCause

OUTCOMES: Final = ("answered", "abandoned", "refused", "failed")
DIRECTIONS: Final = ("in", "out")
STATES: Final = ("offered", "active", "ending", "ended")

CALLS: Final[tuple[Metric, ...]] = (
    counted("calls_offered", "Calls that came in and were given to the dialplan, full or not."),
    counted("calls_originated", "Calls of ours, ordered through the API."),
    counted_each(
        "cause",
        "calls_ended",
        tuple(cause.value.name for cause in HangupCause),
        "Calls that are over, by the causes of docs/causes.md; refused ones too.",
        "calls_ended",
    ),
    counted_each(
        "outcome",
        "call_setups_in",
        OUTCOMES,
        "Calls in, when they were answered or ended without: abandoned by the caller, refused by the dialplan or "
        "the configuration, or failed.",
        "incoming_call_setups",
    ),
    counted_each(
        "outcome",
        "call_setups_out",
        OUTCOMES,
        "Calls of ours, when they were answered or ended without. A failure may be the other side's.",
        "outgoing_call_setups",
    ),
    counted("calls_refused_full", "Calls refused because every line, or every media worker, was taken."),
    counted("calls_refused_behind", "Calls refused because an engine had no processor for those that were there."),
    counted("calls_refused_at_door", "Calls refused with a record before the dialplan saw them: no line for them."),
    counted("calls_refused_unrecorded", "Calls refused without a record, because of too many of them."),
    counted("call_task_failed", "Calls that an error of ours ended.", "call_tasks_failed"),
    counted("supervision_refused", "Calls to supervision codes that were not valid, or not any more."),
    counted_each(
        "reason",
        "audio_missing",
        ("refused", "muted", "nat_ours", "nat_peer", "address", "firewall", "unheard"),
        "Legs that were silent in a direction after the answer (docs/media.md).",
        "audio_missing",
    ),
    counted("keys_repeated_dropped", "Keys that came a second way and were not counted twice."),
    counted("recording_failed", "Recordings that a call lost.", "recordings_lost"),
    counted("recording_metadata_ignored", "SIPREC metadata that was too long or came too late."),
    counted("recording_metadata_unreadable", "SIPREC metadata that could not be read."),
    counted("browser_connections", "Supervisors who took part by browser."),
    counted("browser_legs_ended", "Legs of supervisors' browsers that are over."),
    counted("risk_alerts", "Calls that were found to be at risk, by their words or their course."),
    timed("call_duration_seconds", "From the offer to the end of a call.", CALL_S, "direction", DIRECTIONS),
    timed("first_media_seconds", "From the INVITE to the first audio packet that is believed.", SIGNALLING_S),
    timed("first_speech_seconds", "From the INVITE to the first word of the agent.", SIGNALLING_S),
    level("calls_active", "Calls at this moment."),
    level("calls_by_state", "Calls at this moment, by state.", "state", "voicegw_calls", STATES),
    # ------------------------------------------------------------ the store
    counted("store_facts_stored", "Facts that the database took."),
    counted("store_facts_dropped", "Facts that were lost because the disk was behind or broken."),
    counted("store_facts_rejected", "Facts that the database refused and that were set aside."),
    counted("store_facts_unwritable", "Facts that no JSON can hold."),
    counted("store_spool_full", "Facts that were lost because the spool was full.", "store_spool_full_facts"),
    counted("store_spool_errors", "Failures to write to the spool."),
    counted("store_outages", "Times that the database, or a file beside it, would take nothing."),
    counted("store_calls_lost", "Calls that an earlier process left open."),
    counted("event_log_lines_dropped", "Lines of the plain log of a call that were lost."),
    counted("event_log_write_errors", "Failures to write to the plain log of a call."),
    timed("store_sync_seconds", "Writing and syncing a batch of facts to the spool.", WORK_S),
    timed("store_write_seconds", "Giving a batch of facts to the database, with the commit.", WORK_S),
    level("store_queued_facts", "Facts that wait to be written to the spool."),
    level("store_spool_bytes", "Size of the spool; it grows while the database is away."),
    level("store_spool_limit_bytes", "How large the spool may be."),
    # ------------------------------------------------------------ the API
    counted("api_start_failed", "Times that the API could not start.", "api_starts_failed"),
    counted("api_failed", "Times that the API ended by itself.", "api_failures"),
    counted("api_work_broken", "Times that webhooks broke by a fault of ours, and began anew.", "api_works_broken"),
    counted(
        "api_key_refused", "Times that the store had another key of secrets than this node.", "api_keys_refused"
    ),
    counted("api_logins_refused", "Log-ins with a wrong name, password or code."),
    counted("api_logins_throttled", "Log-ins that were refused unseen, because of too many."),
    counted("api_requests_throttled", "Requests above the rate of their user or key."),
    counted("api_watchers_dropped", "Watchers of live events that were too slow."),
    counted("webhooks_delivered", "Notifications that were taken."),
    counted("webhooks_failed", "Notifications that were not, and will be tried again."),
    counted("webhooks_dead", "Notifications that were given up."),
    level("api_watchers", "Watchers of live events."),
)
