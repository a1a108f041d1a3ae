"""Turns, recognisers, language models, synthesisers, tools."""

from __future__ import annotations

from typing import Final

from voicegw.base.catalogue.metric import (
    FAST_S,
    SPEECH_S,
    WORK_S,
    Metric,
    counted,
    counted_by,
    counted_each,
    level,
    timed,
)

SPEECH: Final[tuple[Metric, ...]] = (
    timed(
        "turn_latency_seconds", "What the caller perceives: from their last sound to the answer's first.", SPEECH_S
    ),
    timed(
        "turn_stage_seconds",
        "The stages of that: until the turn was found to be over (endpointing), its text was final (asr), the "
        "agent had words (agent), these were audio (tts), and it left (playout).",
        SPEECH_S,
        "stage",
        ("endpointing", "asr", "agent", "tts", "playout"),
    ),
    timed("barge_in_stop_seconds", "From the onset of a caller's speech to the agent's last packet.", SPEECH_S),
    counted_each("by", "barge_ins", ("speech", "keypad"), "Interruptions of the agent by the caller.", "barge_ins"),
    counted("background_sounds", "Sounds that paused the agent and were judged to be no interruption."),
    counted("playout_starved", "Utterances that waited for audio in the middle.", "playouts_starved"),
    counted("reply_late", "Replies so late that the caller was told to wait.", "replies_late"),
    counted("agent_failed", "Replies that an agent failed to give.", "agent_failures"),
    counted("language_switched", "Calls that went on in another language.", "language_switches"),
    counted_each(
        "to",
        "ladder",
        ("model", "script", "menu", "human", "message"),
        "Steps of calls from one service to the next.",
        "service_moves",
    ),
    counted("speculation_started", "Replies that were begun before the turn was over.", "speculations_started"),
    counted("speculation_committed", "Of these, those that were used.", "speculations_committed"),
    counted("speculation_wasted", "Of these, those that were not.", "speculations_wasted"),
    counted("speculation_wasted_characters", "Text of replies that were not used."),
    counted("eot_failed", "Turns on which the end-of-turn model said nothing in time.", "eot_failures"),
    # ------------------------------------------------------------ recognition
    counted("asr_audio_ms", "Audio that was recognised.", "asr_audio_seconds", 0.001),
    counted("asr_decode_ms", "Work of the recognisers on it.", "asr_decode_seconds", 0.001),
    counted("asr_failed", "Turns whose recognition failed.", "asr_failures"),
    counted_by("engine", "asr_hung_*", "Recognitions that were given up because nothing came.", "asr_hangs"),
    counted("asr_audio_dropped", "Pieces of audio beyond the longest utterance.", "asr_audio_pieces_dropped"),
    counted("transcription_failed", "Requests that a transcription server refused.", "transcription_failures"),
    counted("transcription_timeout", "Requests that it did not answer in time.", "transcription_timeouts"),
    # ------------------------------------------------------------ synthesis
    counted("tts_failed", "Sentences that no engine could say.", "tts_exhausted"),
    counted_by("engine", "tts_failed_*", "Sentences that an engine failed to say.", "tts_failures"),
    counted_by("engine", "tts_hung_*", "Sentences for which it took too long.", "tts_hangs"),
    counted("tts_from_memory", "Sentences that were in memory.", "tts_sentences_from_memory"),
    counted("tts_from_prompts", "Sentences that were made ahead.", "tts_sentences_from_prompts"),
    counted(
        "speech_server_timeout", "Requests that a speech server did not answer in time.", "speech_server_timeouts"
    ),
    counted("prompts_made", "Sentences that were made ahead."),
    counted("prompts_loaded", "Sentences made ahead that were found on the disk."),
    counted("prompts_deleted", "Sentences made ahead that nobody says any more."),
    timed(
        "tts_first_audio_seconds",
        "From the request of a sentence to its first audio, by engine.",
        SPEECH_S,
        "engine",
    ),
    # ------------------------------------------------------------ workers of engines
    counted_by("engine", "*_worker_died", "Workers of an engine that died.", "engine_workers_died"),
    counted_by("engine", "*_worker_stalled", "Workers that stopped answering.", "engine_workers_stalled"),
    counted_by(
        "engine", "*_worker_recycled", "Workers that had grown and were replaced.", "engine_workers_recycled"
    ),
    counted_by(
        "engine", "*_worker_not_started", "Workers that could not be started.", "engine_workers_not_started"
    ),
    counted_by("engine", "*_stale_refused", "Results for jobs that were over.", "engine_stale_results"),
    level(
        "engine_behind",
        "1 while a worker of an engine has no processor for what it is asked, and new calls are refused.",
        "engine",
    ),
    level("engine_workers_ready", "Workers of an engine whose model is loaded.", "engine"),
    level("engine_jobs", "Jobs of an engine that run or wait.", "engine"),
    # ------------------------------------------------------------ language models
    counted_by("model", "llm_asked_*", "Questions to a language model.", "llm_requests"),
    counted_by("model", "llm_failed_*", "Questions that it failed to answer.", "llm_failures"),
    counted_by("model", "llm_late_*", "Questions that another model answered first.", "llm_overtaken"),
    timed("llm_first_token_seconds", "From a question to a model's first word or tool call.", SPEECH_S, "model"),
    # ------------------------------------------------------------ tools
    counted_each("status", "tool", ("done", "failed", "unknown"), "Runs of tools, by their end.", "tool_runs"),
    counted("tool_joined", "Wishes that waited for a run under way.", "tool_wishes_joined"),
    counted("tool_replayed", "Wishes that were answered from the ledger.", "tool_wishes_replayed"),
    counted("tool_refused", "Wishes that a person or the configuration refused.", "tool_wishes_refused"),
    counted("tool_ledger_errors", "Failures to write to the ledger of tools."),
    timed("tool_seconds", "Runs of tools.", WORK_S),
    counted("mcp_connections_lost", "Connections to tool servers that broke."),
    # ------------------------------------------------------------ the loop that all this runs in
    timed(
        "event_loop_lateness_seconds", "How late the gateway's event loop ran a timer, ten times a second.", FAST_S
    ),
)
