"""Metrics of a node's part in a cluster; all stay at 0 where it is alone."""

from __future__ import annotations

from typing import Final

from voicegw.base.catalogue.metric import Metric, counted, level

CLUSTER: Final[tuple[Metric, ...]] = (
    level("cluster_contact", "1 while the node reaches what it shares with others."),
    level("cluster_nodes", "Nodes of the cluster that are alive; 1 while the others cannot be reached."),
    level("cluster_calls", "Calls of all nodes that this one knows of."),
    level("cluster_leases_held", "What this node alone may do: registrations, for example."),
    counted("cluster_contact_lost", "Times that Redis was lost."),
    counted("cluster_fenced", "Times that others took this node for dead, and it was not."),
    counted("cluster_nodes_lost", "Dead nodes whose calls this one has ended."),
    counted("cluster_calls_lost", "Calls of dead nodes that this one has ended."),
    counted("cluster_facts_dropped", "Messages to other nodes that waited too long for Redis."),
    counted("cluster_lines_full", "Calls refused because a trunk or number had all it may have, over all nodes."),
    counted("cluster_lines_unshared", "Calls admitted or refused without asking the other nodes."),
    counted("cluster_requests", "Orders for calls of other nodes."),
    counted("cluster_requests_failed", "Of these, those without an answer."),
    counted("cluster_requests_served", "Orders of other nodes for calls of this one."),
    counted("cluster_leases_taken", "Leases that this node has got."),
    counted("cluster_bans_taken", "Sources that this node ignores on the word of another one."),
    counted("cluster_phones_heard", "News of phones that registered, or left, at another node."),
    counted("cluster_leases_lost", "Leases that ran out here or went to another node."),
)
