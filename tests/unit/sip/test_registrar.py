"""The registrar's rules (RFC 3261 §10.3), one by one, and against a model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.sip.address import Address, Transport
from voicegw.sip.bindings import Binding, read_expires
from voicegw.sip.message import Headers, Request
from voicegw.sip.path import flow_of, proxy_of
from voicegw.sip.registrar import Registered, Registrar, RegistrarLimits

HOME = Address("203.0.113.7", 40_001)
LIMITS = RegistrarLimits(default_s=3600, min_s=60, max_s=7200, contacts=3, bindings=100)
PHONE = "<sip:anna@10.0.0.7:5060>"


def register(
    *contacts: str, cseq: int = 1, call_id: str = "c1", extra: tuple[tuple[str, str], ...] = ()
) -> Request:
    pairs = [("Call-ID", call_id), ("CSeq", f"{cseq} REGISTER"), *(("Contact", one) for one in contacts), *extra]
    return Request("REGISTER", "sip:voice.example", Headers(pairs))


class Desk:
    """A registrar with the clock in hand."""

    def __init__(self) -> None:
        self.registrar = Registrar(LIMITS)
        self.now = 1000.0

    def register(self, *contacts: str, user: str = "anna", source: Address = HOME, **said: object) -> Registered:
        request = register(*contacts, **said)  # type: ignore[arg-type]
        return self.registrar.register(user, request, source, self.now)

    def contacts(self, user: str = "anna") -> list[str]:
        return [one.contact for one in self.registrar.bindings(user, self.now)]


def values(answer: Registered, name: str) -> list[str]:
    return [value for header, value in answer.headers if header == name]


def test_a_phone_registers_asks_refreshes_and_leaves() -> None:
    desk = Desk()
    first = desk.register(PHONE, extra=(("Expires", "600"), ("User-Agent", "baresip")))
    assert first.status == 200 and values(first, "Contact") == [f"{PHONE};expires=600"]
    (binding,) = first.after
    assert (binding.source, binding.user_agent, first.before) == (HOME, "baresip", ())
    desk.now += 500
    assert values(desk.register(), "Contact") == [f"{PHONE};expires=100"]
    assert values(desk.register(PHONE, cseq=2), "Contact") == [f"{PHONE};expires=3600"]
    gone = desk.register(PHONE + ";expires=0", cseq=3)
    assert gone.status == 200 and gone.after == () and len(desk.registrar) == 0


def test_the_time_of_a_contact_counts_more_than_that_of_the_header_and_both_have_limits() -> None:
    desk = Desk()
    answer = desk.register(
        PHONE + ";expires=99999", "<sip:anna@10.0.0.8>;expires=61;q=0.25", extra=(("Expires", "300"),)
    )
    assert values(answer, "Contact") == [f"{PHONE};expires=7200", "<sip:anna@10.0.0.8>;expires=61;q=0.25"]
    short = desk.register("<sip:anna@10.0.0.9>", cseq=2, extra=(("Expires", "59"),))
    assert (short.status, short.headers) == (423, (("Min-Expires", "60"),))
    assert len(desk.contacts()) == 2


def test_several_contacts_by_preference_and_no_more_than_allowed() -> None:
    desk = Desk()
    desk.register("<sip:a@h1>;q=0.2", "<sip:a@h2>", "<sip:a@h3>;q=0.7")
    assert desk.contacts() == ["sip:a@h2", "sip:a@h3", "sip:a@h1"]
    assert desk.register("<sip:a@h4>", cseq=2).status == 403
    assert len(desk.contacts()) == 3


def test_all_contacts_leave_by_a_star_which_stands_alone() -> None:
    desk = Desk()
    desk.register("<sip:a@h1>", "<sip:a@h2>")
    for request in (
        {"extra": (("Expires", "1"),)},
        {"extra": ()},
    ):
        assert desk.register("*", cseq=2, **request).status == 400
    assert desk.register("*", "<sip:a@h1>", cseq=2, extra=(("Expires", "0"),)).status == 400
    assert desk.register("*", cseq=1, extra=(("Expires", "0"),)).status == 500, "overtaken"
    assert len(desk.contacts()) == 2
    assert desk.register("*", cseq=2, extra=(("Expires", "0"),)).after == ()


def test_a_request_that_was_overtaken_changes_nothing_and_a_new_call_id_begins_anew() -> None:
    desk = Desk()
    desk.register(PHONE, cseq=5)
    assert desk.register(PHONE + ";expires=0", cseq=4).status == 500
    assert desk.register("<sip:new@h>", PHONE, cseq=5).status == 500
    assert desk.contacts() == ["sip:anna@10.0.0.7:5060"], "not even the part that was in order"
    assert desk.register(PHONE, cseq=1, call_id="c2").status == 200


def test_uris_are_compared_by_their_meaning() -> None:
    desk = Desk()
    desk.register("<sip:anna@HOST.example;transport=udp>")
    desk.register("<sip:%61nna@host.EXAMPLE;transport=UDP;x=1>", cseq=2)
    assert desk.contacts() == ["sip:%61nna@host.EXAMPLE;transport=UDP;x=1"]


def test_a_device_is_the_same_under_another_address() -> None:
    desk = Desk()
    device = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id='
    desk.register(f"<sip:anna@10.0.0.7>{device}1", extra=(("Supported", "path, outbound"),))
    moved = desk.register(
        f"<sip:anna@10.9.9.9>{device}1", call_id="c9", extra=(("Supported", "path,outbound"),), source=HOME
    )
    assert [one.contact for one in moved.after] == ["sip:anna@10.9.9.9"]
    assert values(moved, "Require") == ["outbound"]
    (contact,) = values(moved, "Contact")
    assert contact.endswith(f"{device}1") and ";expires=3600" in contact
    second = desk.register(f"<sip:anna@10.9.9.9>{device}2", call_id="c9", cseq=2)
    assert len(second.after) == 2, "another flow of the same device"


def test_flows_are_promised_only_where_the_proxy_next_to_the_phone_keeps_them() -> None:
    """RFC 5626 §6: else the phone would probe a flow that nobody answers for, and register over and over."""
    desk, device = Desk(), f'{PHONE};+sip.instance="<urn:uuid:1>";reg-id=1'
    knows = ("Supported", "path, outbound")
    for cseq, (path, promised) in enumerate(
        [
            ("<sip:p1.example;lr;ob>", ["outbound"]),
            ("<sip:p2.example;lr>, <sip:p1.example;lr;ob>", ["outbound"]),
            ("<sip:p1.example;lr>", []),
            ("<sip:p2.example;lr;ob>, <sip:p1.example;lr>", []),
        ],
        start=1,
    ):
        answer = desk.register(device, cseq=cseq, extra=(("Path", path), knows))
        assert answer.status == 200 and values(answer, "Require") == promised


def test_the_path_is_kept_and_told_to_those_who_know_it() -> None:
    desk = Desk()
    path = ("Path", "<sip:p1.example;lr>, <sip:p2.example;lr>")
    answer = desk.register(PHONE, extra=(path, ("Supported", "path")))
    assert answer.after[0].path == ("<sip:p1.example;lr>", "<sip:p2.example;lr>")
    assert values(answer, "Path") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    assert values(desk.register(PHONE, cseq=2, extra=(path,)), "Path") == []


@pytest.mark.parametrize(
    "path",
    [
        ", ".join(f"<sip:p{number}.example;lr>" for number in range(5)),
        "<sip:p1.example>",
        "<sip:p1.example;lr>, <sip:p2.example;lr>, <sip:p1.example;lr>",
        f"<sip:p1.example;lr;x={'a' * 512}>",
        "<tel:+4930123>",
        "<sip:p1.example;lr?Subject=x>",
    ],
)
def test_a_path_that_no_request_could_take_is_refused_and_changes_nothing(path: str) -> None:
    desk = Desk()
    desk.register(PHONE)
    assert desk.register(PHONE + ";expires=0", cseq=2, extra=(("Path", path),)).status in (400, 416)
    assert desk.contacts() == ["sip:anna@10.0.0.7:5060"]


def test_where_the_path_leads_and_where_the_phone_was_seen() -> None:
    path = (
        "<sip:192.0.2.4:5070;lr>",
        "<sip:192.0.2.5;lr;received=sip:198.51.100.7:40001%3Btransport%3Dtcp>",
    )
    assert proxy_of(path) == Address("192.0.2.4", 5070)
    assert flow_of(path) == Address("198.51.100.7", 40_001, Transport.TCP)
    assert flow_of(path[:1]) is None and flow_of(()) is None and proxy_of(()) is None
    assert proxy_of(("<sip:edge.example;lr>",)) is None
    assert flow_of(("<sip:192.0.2.5;lr;received=%00>",)) is None


def test_what_a_request_takes_back_is_told_whether_it_was_known_or_not() -> None:
    desk = Desk()
    desk.register(PHONE)
    both = desk.register(PHONE + ";expires=0", "<sip:b@10.0.0.8>;expires=0", cseq=2)
    assert [one.contact for one in both.ended] == ["sip:anna@10.0.0.7:5060", "sip:b@10.0.0.8"]
    desk.register(PHONE, cseq=3)
    all_ = desk.register("*", cseq=4, extra=(("Expires", "0"),))
    assert [one.contact for one in all_.ended] == ["sip:anna@10.0.0.7:5060"]


@pytest.mark.parametrize(
    ("contact", "status"),
    [("<tel:+4930123>", 416), ("<sip:a@h?Subject=x>", 400), ("<sip:>", 400), (f"<sip:{'a' * 600}@h>", 400)],
)
def test_a_contact_that_nobody_is_reached_at(contact: str, status: int) -> None:
    desk = Desk()
    answer = desk.register("<sip:good@h>", contact)
    assert answer.status == status and not desk.contacts()


def test_bindings_end_with_their_time_and_say_so() -> None:
    desk = Desk()
    assert desk.registrar.next_expiry() is None
    desk.register("<sip:a@h1>;expires=100", "<sip:a@h2>;expires=300")
    desk.register("<sip:b@h1>;expires=200", user="bert")
    assert desk.registrar.next_expiry() == 1100.0
    desk.now = 1150.0
    assert desk.contacts() == ["sip:a@h2"]
    ((user, (lost,)),) = desk.registrar.expire(desk.now)
    assert (user, lost.contact) == ("anna", "sip:a@h1")
    assert desk.registrar.next_expiry() == 1200.0 and desk.registrar.users() == ["bert", "anna"]
    desk.now = 2000.0
    assert [user for user, _ in desk.registrar.expire(desk.now)] == ["bert", "anna"]
    assert desk.registrar.next_expiry() is None and len(desk.registrar) == 0


def test_the_whole_registrar_has_a_limit_and_refreshes_do_not_fill_it() -> None:
    registrar = Registrar(RegistrarLimits(bindings=2))
    for number in range(2):
        assert registrar.register(f"u{number}", register("<sip:a@h>"), HOME, 0.0).status == 200
    full = registrar.register("u9", register("<sip:a@h>"), HOME, 0.0)
    assert full.status == 503 and full.headers == (("Retry-After", "60"),)
    for cseq in range(2, 300):
        assert registrar.register("u0", register("<sip:a@h>", cseq=cseq), HOME, 0.0).status == 200
    assert len(registrar) == 2 and len(registrar._deadlines) < 100


def test_bindings_can_be_restored_dropped_and_removed() -> None:
    desk = Desk()
    one = Binding("sip:a@h1", HOME, 2000.0, "c", 1)
    two = Binding("sip:a@h2", Address("203.0.113.8", 5060, Transport.TCP), 2000.0, "c", 1)
    desk.registrar.restore("anna", (one, two))
    assert desk.register("<sip:a@h1>", cseq=1, call_id="c").status == 500, "the order survives a restart"
    assert desk.registrar.drop("anna", two) and not desk.registrar.drop("anna", two)
    assert desk.contacts() == ["sip:a@h1"]
    assert desk.registrar.remove("anna") == (one,) and desk.registrar.remove("anna") == ()


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("0", 0), (" 60 ", 60), ("", 3600), ("-1", 3600), ("9" * 10, 2**32 - 1)]
)
def test_expiry_as_it_is_written(text: str | None, seconds: int | None) -> None:
    assert read_expires(text) == seconds


STEP = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["h1", "h2"]), st.sampled_from([0, 60, 100]), st.integers(0, 50)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(STEP, max_size=30))
def test_it_does_what_a_dictionary_would(steps: list[tuple[str, str, int, int]]) -> None:
    desk, model = Desk(), dict[tuple[str, str], float]()
    for cseq, (user, host, expires, wait) in enumerate(steps, start=1):
        desk.register(f"<sip:x@{host}>;expires={expires}", user=user, cseq=cseq)
        model[(user, host)] = desk.now + expires
        desk.now += wait
        desk.registrar.expire(desk.now)
        model = {key: until for key, until in model.items() if until > desk.now}
        for name in "ab":
            expected = sorted(f"sip:x@{host}" for who, host in model if who == name)
            assert sorted(desk.contacts(name)) == expected
        assert len(desk.registrar) == len(model)
        soonest = min(model.values(), default=None)
        due = desk.registrar.next_expiry()
        assert due is None or soonest is None or due <= soonest
