"""Which Contact of a 3xx is tried, and when it is enough (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicegw.sip.message import Headers
from voicegw.sip.redirection import MAX_TARGETS, Redirection


def contacts(*values: str) -> Headers:
    return Headers(("Contact", value) for value in values)


def everybody(_uri: str) -> bool:
    return True


def all_targets(redirection: Redirection) -> list[str]:
    found = []
    while (target := redirection.next_target()) is not None:
        found.append(target)
    return found


def test_the_best_is_tried_first_and_a_later_list_before_an_earlier_one() -> None:
    redirection = Redirection("sip:a@h", everybody)
    redirection.receive(contacts("<sip:b@h>;q=0.2, <sip:c@h>;q=0.9", "<sip:d@h>"))
    assert redirection.next_target() == "sip:d@h"
    redirection.receive(contacts("<sip:e@h>;q=0.1"))
    assert all_targets(redirection) == ["sip:e@h", "sip:c@h", "sip:b@h"]


def test_nobody_is_called_twice() -> None:
    redirection = Redirection("sip:a@h", everybody)
    redirection.receive(contacts("<sip:A@H>", "<sip:a@H>", "<sip:%61@h>", "<sip:b@h>"))
    assert all_targets(redirection) == ["sip:A@H", "sip:b@h"], "user parts compare with case, hosts without"
    redirection.receive(contacts("<sip:b@h;x=1>"))
    assert redirection.next_target() is None


def test_a_list_without_end_is_not_followed_to_its_end() -> None:
    redirection = Redirection("sip:0@h", everybody)
    for number in range(1, 20):
        redirection.receive(contacts(f"<sip:{number}@h>"))
    assert len(all_targets(redirection)) == MAX_TARGETS


def test_who_is_not_allowed_or_no_target_is_passed_over() -> None:
    redirection = Redirection("sip:a@h", lambda uri: "good" in uri)
    redirection.receive(
        contacts("<sip:bad@h>", "<tel:+15551234>", "<sip:good@h?Subject=x>;q=nan?", "nonsense", "*")
    )
    assert all_targets(redirection) == ["sip:good@h"], "headers of the URI do not become ours"


@given(st.lists(st.tuples(st.sampled_from("bcdefgh"), st.floats(0, 1)), max_size=12))
def test_every_target_is_new_and_their_number_bounded(listed: list[tuple[str, float]]) -> None:
    redirection = Redirection("sip:a@h", everybody)
    redirection.receive(contacts(*[f"<sip:{user}@h>;q={q:.3f}" for user, q in listed]))
    found = all_targets(redirection)
    assert len(set(found)) == len(found) <= MAX_TARGETS
