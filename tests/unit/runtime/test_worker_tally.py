from __future__ import annotations

from voicegw.base.metrics import Counters
from voicegw.runtime.worker_tally import WorkerTally


def test_each_report_adds_what_is_new_in_it() -> None:
    counters = Counters()
    tally = WorkerTally(counters)
    tally.take(0, {"rtp_malformed": 3})
    tally.take(0, {"rtp_malformed": 3, "lost_frames": 1})
    tally.take(0, {"rtp_malformed": 5, "lost_frames": 1})
    assert counters.snapshot() == {"media_rtp_malformed": 5, "media_lost_frames": 1}


def test_the_next_worker_begins_at_zero_and_the_node_does_not() -> None:
    counters = Counters()
    tally = WorkerTally(counters)
    tally.take(0, {"rtp_malformed": 3})
    tally.restart(0)
    tally.take(0, {"rtp_malformed": 2})
    assert counters.get("media_rtp_malformed") == 5


def test_several_workers_are_told_apart() -> None:
    counters = Counters()
    tally = WorkerTally(counters)
    tally.take(0, {"rtp_malformed": 3})
    tally.take(1, {"rtp_malformed": 1})
    tally.take(0, {"rtp_malformed": 4})
    assert counters.get("media_rtp_malformed") == 5
