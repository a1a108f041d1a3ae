"""What a node counts of its part in a cluster."""

from __future__ import annotations

from enum import StrEnum


class ClusterCounter(StrEnum):
    """Names as metrics have them."""

    CONTACT_LOST = "cluster_contact_lost"
    FENCED = "cluster_fenced"
    """Others took this node for dead, and it was not."""
    NODES_LOST = "cluster_nodes_lost"
    CALLS_LOST = "cluster_calls_lost"
    """Of other nodes, ended by this one."""
    FACTS_DROPPED = "cluster_facts_dropped"
    """There was no Redis to tell them to for too long."""
    LINES_FULL = "cluster_lines_full"
    LINES_UNSHARED = "cluster_lines_unshared"
    """Taken without asking the others."""
    REQUESTS = "cluster_requests"
    """To other nodes."""
    REQUESTS_FAILED = "cluster_requests_failed"
    """Without an answer."""
    REQUESTS_SERVED = "cluster_requests_served"
    LEASES_TAKEN = "cluster_leases_taken"
    LEASES_LOST = "cluster_leases_lost"
    BANS_TAKEN = "cluster_bans_taken"
    """Sources ignored on another node's word."""
    PHONES_HEARD = "cluster_phones_heard"
    """Phones of which another node had something to say, each time."""
