"""When a changed setting counts: at once, for calls that begin after the reload, or after a restart. Pure.

Every key of the configuration is in exactly one of the three tables. A name stands for everything below it that has
no name of its own here; ``[]`` is any entry of a list.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from voicegw.config_changes import covers


class Effect(StrEnum):
    """From when on a change counts."""

    AT_ONCE = "at once"
    """For messages, requests and rounds from then on, those of running calls among them."""
    NEW_CALLS = "new calls"
    """Running calls keep what they began with."""
    RESTART = "restart"


def _of(section: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for name in names)


AT_ONCE: Final = (
    *("limits", "drain", "tolls", "llm", "models", "phones"),
    *_of("log", "level", "format", "personal", "personal_key_env"),
    *_of("sip", "strangers", "guard", "forward_to", "accept_messages", "replaceable", "identity", "locating"),
    *_of("sip", "max_calls", "max_transactions", "max_setups", "overload_ms", "retry_after_s", "connections"),
    *_of("sip", "user_agent", "datagram_limit", "tls_client"),
    *_of("sip", "advertised_ip", "t1_ms"),
    *_of("sip.listeners[]", "allow", "deny", "origins", "advertised_ip", "advertised_name", "advertised_port"),
    *_of("sip.listeners[]", "certificate", "key", "client_ca", "client_certificates", "min_version"),
    *_of("audiosocket", "max_connections", "id_s", "announced_s"),
    *_of("audiosocket.listeners[]", "called", "allow"),
    *_of("media", "full_busy", "full_late", "draining_s", "jitter_start_ms", "jitter_min_ms", "jitter_max_ms"),
    *_of("media", "no_media_timeout_ms", "rtcp_interval_ms", "echo", "vad", "catch_up_frames", "tap_ms"),
    *_of("media", "report_interval_ms", "ear_level_dbov", "outbox_bytes"),
    *_of("store", "retention", "spool_mb", "batch_ms", "watch_s", "files"),
    *_of("api", "requests_per_minute", "session_h", "session_idle_min", "home", "oidc", "browser_audio"),
    *_of("api", "tls_cert", "tls_key", "behind_tls_proxy", "trusted_proxies", "public_url", "cors_origins"),
    *_of("api", "event_ring", "watcher_backlog"),
    *_of("observability", "capture", "hep"),
    *_of("cluster", "advertise", "api_url", "host_env", "beat_ms", "node_ttl_ms", "lease_ttl_ms"),
    *_of("cluster", "events", "share_bans", "own_registrations"),
    *_of("recording", "keep_free_mb", "max_total_mb", "unseal_with"),
    "paths.trunks",
)
NEW_CALLS: Final = (
    *("speech", "whisper", "transcription", "piper", "speech_server", "texts"),
    *("call", "endpointing", "barge_in", "speculation", "transfer", "privacy", "supervision"),
    *_of("sip", "codecs", "comfort_noise", "dtmf", "srtp", "srtp_in_clear", "srtp_suites", "reliable_1xx"),
    *_of("sip", "session_expires_s", "min_se_s", "ladder"),
    *_of("recording", "format", "seal_to"),
    "observability.otlp",
    *_of("media", "latch_packets", "latch_window_ms", "relatch_gap_ms", "opus_complexity", "line_processing"),
    *_of("media", "workers", "port_low", "port_high", "max_legs", "g722_compiled"),
    *_of("paths", "agents", "dialplan", "calls", "recordings", "cache", "models"),
)
RESTART: Final = (
    *_of("paths", "tools", "control"),
    *_of("cluster", "redis", "redis_password_env", "name", "node"),
    *_of("sip", "listen_ip", "listen_port", "listeners"),
    *_of("audiosocket", "listeners"),
    *_of("store", "url", "spool", "busy_timeout_ms", "pool_size"),
    *_of("api", "enabled", "listen_host", "listen_port", "key_file"),
)
_TABLES: Final = {Effect.AT_ONCE: AT_ONCE, Effect.NEW_CALLS: NEW_CALLS, Effect.RESTART: RESTART}
_EFFECTS: Final = {name: effect for effect, names in _TABLES.items() for name in names}
_INDEX: Final = re.compile(r"\[\d+\]")


def effect_of(name: str) -> Effect:
    """When a change of this setting counts; the most exact name that covers it decides. Raises KeyError for a
    setting that nobody has thought of."""
    plain = _INDEX.sub("[]", name)
    fitting = [known for known in _EFFECTS if covers(known, plain)]
    if not fitting:
        raise KeyError(name)
    return _EFFECTS[max(fitting, key=len)]
