"""What a node may conclude from silence."""

from __future__ import annotations

from voicegw.cluster.contact import Contact, ContactState

SETTLE_S = 2.0


def test_news_are_told_once() -> None:
    contact = Contact(SETTLE_S)
    assert contact.state is ContactState.UNKNOWN and not contact.holds
    assert contact.succeeded(0.0) and not contact.succeeded(1.0) and contact.holds
    assert contact.failed() and not contact.failed() and not contact.holds
    assert contact.succeeded(5.0)


def test_a_first_failure_is_news() -> None:
    assert Contact(SETTLE_S).failed()


def test_nobody_is_lost_before_all_had_time_to_be_heard() -> None:
    contact = Contact(SETTLE_S)
    assert not contact.may_fence(0.0)
    contact.succeeded(10.0)
    contact.succeeded(11.0)
    assert not contact.may_fence(11.9) and contact.may_fence(12.0)
    contact.failed()
    assert not contact.may_fence(13.0)
    contact.succeeded(14.0)
    assert not contact.may_fence(15.9) and contact.may_fence(16.0)
