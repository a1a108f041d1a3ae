"""What the user agent and its transport count, by name."""

from __future__ import annotations

from enum import StrEnum


class SipCounter(StrEnum):
    """Names in :class:`voicegw.base.metrics.Counters`. Answers are counted as ``sip_refused_<status>`` besides."""

    RECEIVED = "sip_datagrams_received"
    SENT = "sip_datagrams_sent"
    KEEPALIVE = "sip_keepalives"
    MALFORMED = "sip_malformed_dropped"
    UNSENDABLE = "sip_unsendable_dropped"
    STRAY_ACK = "sip_stray_acks"
    STRAY_PRACK = "sip_stray_pracks"
    PROVISIONAL_IGNORED = "sip_reliable_responses_out_of_order"
    STRAY_RESPONSE = "sip_stray_responses"
    FOREIGN_VIA = "sip_responses_with_foreign_via"
    OUT_OF_ORDER = "sip_requests_out_of_order"
    EXTRA_FORK = "sip_extra_forks_ended"
    REGISTRATIONS = "sip_registrations"
    CHALLENGES_ANSWERED = "sip_challenges_answered"
    CALLS_IN = "sip_calls_in"
    CALLS_OUT = "sip_calls_out"
    NO_ACK = "sip_answers_never_acknowledged"
    NO_RESPONSE = "sip_requests_never_answered"
    SESSION_EXPIRED = "sip_sessions_expired"
    TRANSPORT_ERROR = "sip_transport_errors"
    SOCKET_REOPENED = "sip_socket_reopened"
    SEND_DROPPED = "sip_send_dropped"
    DATAGRAM_AFTER_ALL = "sip_large_requests_by_udp_after_all"
    STUN = "sip_stun_answered"
    CONNECTIONS_IN = "sip_connections_in"
    CONNECTIONS_OUT = "sip_connections_out"
    CONNECTION_REFUSED = "sip_connections_refused"
    CONNECT_FAILED = "sip_connects_failed"
    CONNECTION_LOST = "sip_connections_lost"
    HANDSHAKE_FAILED = "sip_handshakes_failed"
    STREAM_BROKEN = "sip_streams_broken"
    STREAM_SLOW = "sip_streams_too_slow"
    STREAM_IDLE = "sip_streams_idle_closed"
    CERTIFICATES_RELOADED = "sip_certificates_reloaded"
    CERTIFICATES_REFUSED = "sip_certificates_refused"
    GUARD_DENIED = "sip_guard_dropped_denied"
    GUARD_BANNED = "sip_guard_dropped_banned"
    GUARD_RATE = "sip_guard_dropped_rate"
    GUARD_STRANGERS = "sip_guard_dropped_strangers"
    GUARD_BANS = "sip_guard_bans"
    PHONES_ASKED = "sip_phones_asked"
    PHONES_WRONG = "sip_phones_wrong"
    HALF_OPEN = "sip_half_open_given_up"
    OVERLOADED = "sip_refused_overloaded"


def refused(status: int) -> str:
    """The counter of requests that were answered with ``status`` before anybody else saw them."""
    return f"sip_refused_{status}"
