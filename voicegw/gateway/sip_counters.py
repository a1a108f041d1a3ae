"""What finding servers, their health and registrations count, by name."""

from __future__ import annotations

from enum import StrEnum


class LocatingCounter(StrEnum):
    """Names in :class:`voicegw.base.metrics.Counters`: what happened, for rates and alarms."""

    DNS_QUESTIONS = "sip_dns_questions"
    DNS_FAILURES = "sip_dns_failures"
    DNS_STALE = "sip_dns_stale_answers_used"
    FAILED_OVER = "sip_requests_failed_over"
    TRUNK_FAILED_OVER = "sip_calls_to_next_trunk"
    BLACKLISTED = "sip_servers_blacklisted"
    REINSTATED = "sip_servers_reinstated"
    PROBES = "sip_server_probes"
    REGISTERED = "sip_registrations_accepted"
    REGISTRATION_FAILED = "sip_registrations_failed"
    KEEPALIVES = "sip_flow_keepalives"
    FLOWS_LOST = "sip_flows_lost"
    PINGS = "sip_trunk_pings"
    PINGS_UNANSWERED = "sip_trunk_pings_unanswered"
    TRUNK_DOWN = "sip_trunk_went_down"
    TRUNK_UP = "sip_trunk_came_up"
