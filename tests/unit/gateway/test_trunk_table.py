"""Whose call it is, which trunk carries a number, and what a number looks like on either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.caller_id import CallerOut, present
from voicegw.gateway.registrations import RegistrationSnapshot
from voicegw.gateway.token_bucket import Rate
from voicegw.gateway.trunk_calls import Speech, TrunkCalls
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkCounter, TrunkDesk, TrunkState
from voicegw.gateway.trunk_headers import incoming, is_listed, outgoing
from voicegw.gateway.trunk_health import Health, HealthSnapshot
from voicegw.gateway.trunk_numbers import longest_match, shown_to_trunk, to_inside, to_trunk
from voicegw.gateway.trunk_sections import HeaderSettings, NumberSettings
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.trunk_status import statuses
from voicegw.gateway.trunk_table import RouteRefused, TrunkTable
from voicegw.gateway.trunk_watch import TrunkWatchSnapshot
from voicegw.sip.address import Address
from voicegw.sip.dialling import call_target, plain
from voicegw.sip.digest import Credentials

A, B, C = LegId("a"), LegId("b"), LegId("c")


def trunk(name: str, password: str = "", enabled: bool = True, **settings: Any) -> Trunk:
    return Trunk(name, TrunkSettings.model_validate(settings), password, enabled=enabled)


def refusal(work: Callable[[], object]) -> HangupCause:
    with pytest.raises(RouteRefused) as caught:
        work()
    return caught.value.cause


# -------------------------------------------------------------------- numbers

GERMAN = {"country_code": "49"}


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ("+49-30-123", "+4930123"),
        ("0043 1 555", "+431555"),
        ("030/123", "+4930123"),
        ("100", "100"),
        ("sales", "sales"),
        ("", ""),
    ],
)
def test_numbers_come_in(given: str, inside: str) -> None:
    assert to_inside(NumberSettings.model_validate(GERMAN), given) == inside


@pytest.mark.parametrize(
    ("send", "domestic", "foreign", "short"),
    [
        ("as_is", "+4930123456", "+431555", "100"),
        ("e164", "+4930123456", "+431555", "100"),
        ("digits", "4930123456", "431555", "100"),
        ("national", "030123456", "00431555", "100"),
        ("international", "004930123456", "00431555", "100"),
    ],
)
def test_numbers_go_out(send: str, domestic: str, foreign: str, short: str) -> None:
    form = NumberSettings.model_validate({**GERMAN, "send": send})
    assert to_trunk(form, "+4930123456") == domestic
    assert to_trunk(form, "030123456") == domestic
    assert to_trunk(form, "+431555") == foreign
    assert to_trunk(form, "100") == short
    assert to_inside(form, domestic) == "+4930123456"


def test_a_line_is_dialled_first_and_never_shown() -> None:
    form = NumberSettings.model_validate({**GERMAN, "send": "national", "prefix": "0"})
    assert to_trunk(form, "+4930123") == "0030123"
    assert shown_to_trunk(form, "+4930123") == "030123"
    assert to_trunk(form, "sales") == "sales"


def test_without_a_country_nothing_is_rewritten() -> None:
    form = NumberSettings()
    assert (to_inside(form, "030123"), to_trunk(form, "030123")) == ("030123", "030123")
    assert to_trunk(form, "+49 30 123") == "+4930123"
    assert plain("desk-1") == "desk-1"


def test_the_longest_match_counts() -> None:
    assert longest_match(["+49*", "+4930*", "+4930123"], "+4930123") == 9
    assert longest_match(["+49*", "+4930*"], "+4930123") == 5
    assert longest_match(["*"], "anything") == 0
    assert longest_match(["+49"], "+4930") == -1
    assert longest_match([], "1") == -1


# -------------------------------------------------------------------- calls in


def test_the_narrowest_network_counts() -> None:
    table = TrunkTable(
        [
            trunk("wide", allowed_addresses=["198.51.100.0/24"]),
            trunk("one", allowed_addresses=["198.51.100.7"]),
            trunk("host", hosts=["203.0.113.9", "2001:db8::9"]),
            trunk("off", enabled=False, allowed_addresses=["192.0.2.0/24"]),
        ]
    )

    def whose(host: str) -> str:
        found = table.of_call(host, "100")
        return found.name if found else ""

    assert whose("198.51.100.7") == "one"
    assert whose("198.51.100.8") == "wide"
    assert whose("203.0.113.9") == "host"
    assert whose("2001:db8::9") == "host"
    assert whose("::ffff:203.0.113.9") == "host"
    assert whose("192.0.2.1") == ""


def test_of_two_accounts_at_one_carrier_the_called_number_tells() -> None:
    here = {"allowed_addresses": ["192.0.2.1"]}
    table = TrunkTable(
        [
            trunk("berlin", numbers=["+4930*"], numbering=GERMAN, **here),
            trunk("rest", **here),
            trunk("munich", numbers=["+4989*"], numbering=GERMAN, **here),
        ]
    )
    for called, name in (("030555", "berlin"), ("+4989555", "munich"), ("+4940555", "rest")):
        found = table.of_call("192.0.2.1", called)
        assert found is not None and found.name == name


def test_a_certificate_goes_before_an_address() -> None:
    table = TrunkTable(
        [
            trunk("address", allowed_addresses=["192.0.2.1"]),
            trunk("named", tls={"allowed_names": ["SBC.example.net"]}),
        ]
    )
    found = table.of_call("192.0.2.1", "1", ["sbc.example.net"])
    assert found is not None and found.name == "named"
    assert table.of_call("198.51.100.1", "1", ["other.example.net"]) is None


# -------------------------------------------------------------------- calls out

WORLD = TrunkTable(
    [
        trunk("world", hosts=["carrier.test"], carries=["+*"], refuses=["+4990*"], numbering=GERMAN),
        trunk("german", hosts=["192.0.2.1"], port=5080, carries=["+49*"], numbering={**GERMAN, "send": "national"}),
        trunk("spare", hosts=["192.0.2.2"], carries=["+49*"], priority=1, transport="tcp"),
        trunk("pbx", hosts=["pbx.test"], carries=["1*", "sales"], numbering={"user_phone": True}),
        trunk("inward", allowed_addresses=["192.0.2.3"]),
    ]
)


def test_the_longest_match_carries_and_the_next_stands_by() -> None:
    ways = WORLD.routes("tel:+4930123")
    assert [way.trunk.name for way in ways if way.trunk] == ["german", "spare"]
    assert [way.target for way in ways] == ["sip:030123@192.0.2.1:5080", "sip:+4930123@192.0.2.2;transport=tcp"]
    assert ways[0].way.hosts == ("sip:192.0.2.1:5080",)
    assert [way.target for way in WORLD.routes("tel:+44-20-7946")] == ["sip:+44207946@carrier.test"]
    assert [way.target for way in WORLD.routes("tel:100;phone-context=x")] == ["sip:100@pbx.test;user=phone"]


def test_a_trunk_can_be_named() -> None:
    assert [way.target for way in WORLD.routes(call_target("+49 30 123", "world"))] == ["sip:+4930123@carrier.test"]
    assert refusal(lambda: WORLD.routes(call_target("100", "world"))) is HangupCause.NOT_ALLOWED
    assert refusal(lambda: WORLD.routes(call_target("100", "nowhere"))) is HangupCause.NOT_ALLOWED


@pytest.mark.parametrize(
    "uri",
    [
        "tel:911",
        "sip:+4990123@carrier.test",
        "sip:boss@pbx.test",
        "sip:+4990123@carrier.test.",
        "sip:++499012345678@carrier.test",
        "sip:+00499012345678@carrier.test",
        "sip:%2B%2b499012345678@CARRIER.test",
        "sip:+49_9012345678@carrier.test",
    ],
)
def test_no_trunk_carries_what_it_does_not_name(uri: str) -> None:
    assert refusal(lambda: WORLD.routes(uri)) is HangupCause.NOT_ALLOWED


def test_what_stands_behind_a_number_is_not_passed_on() -> None:
    for behind in (";phone-context=+881", "%3bx=1"):
        (way,) = WORLD.routes(f"sip:+44207946{behind}@carrier.test")
        assert (way.number, way.target) == ("+44207946", "sip:+44207946@carrier.test")


def test_a_trunk_is_the_same_by_all_of_its_addresses() -> None:
    v6 = trunk("v6", hosts=["2001:db8::7"], carries=["1*"])
    edge = trunk("edge", domain="ims.test", outbound_proxies=["sip:edge.test:5070"], carries=["1*"])
    table = TrunkTable([*WORLD.trunks, v6, edge], [("world", "203.0.113.9")])
    for host, name in (
        ("203.0.113.9", "world"),
        ("[::ffff:203.0.113.9]", "world"),
        ("carrier.test.", "world"),
        ("[2001:DB8:0::7]", "v6"),
        ("[::ffff:192.0.2.1]", "german"),
        ("edge.test", "edge"),
    ):
        number = "100" if name in ("v6", "edge") else "+4930123"
        (way,) = table.routes(f"sip:{number}@{host}")
        assert way.trunk is not None and way.trunk.name == name
        assert table.trunk_at(host.strip("[]")) is not None
    assert table.trunk_at("203.0.113.8") is None


def test_the_host_of_a_trunk_is_the_trunk() -> None:
    (way,) = WORLD.routes("sip:sales@PBX.test:5090")
    assert way.trunk is not None and way.trunk.name == "pbx"
    assert way.target == "sip:sales@pbx.test;user=phone"


def test_another_host_is_called_directly_and_with_nobodys_credentials() -> None:
    (way,) = WORLD.routes("sip:ada@phone.test")
    assert (way.trunk, way.target) == (None, "sip:ada@phone.test")


def test_what_can_be_called() -> None:
    assert call_target("+49 (30) 123") == "tel:+4930123"
    assert call_target("sip:a@b") == "sip:a@b"
    assert call_target("tel:+1;ext=2", "t") == "tel:+1;ext=2;tgrp=t"
    for bad in ("sales", "mailto:a@b", ""):
        with pytest.raises(RemoteProtocolError):
            call_target(bad)
    with pytest.raises(RemoteProtocolError):
        call_target("sip:a@b", "t")


def test_an_outbound_proxy_is_passed() -> None:
    table = TrunkTable([trunk("t", domain="ims.test", outbound_proxies=["sip:edge.test:5070"], carries=["*"])])
    (way,) = table.routes("tel:1")
    assert (way.target, way.way.routes) == ("sip:1@ims.test", ("<sip:edge.test:5070;lr>",))


# -------------------------------------------------------------------- the desk


def desk(*trunks: Trunk, strangers: str = "open") -> TrunkDesk:
    return TrunkDesk(trunks, strangers, Counters())


def test_lines_are_counted_both_ways_and_given_back() -> None:
    one = desk(trunk("t", hosts=["192.0.2.1"], carries=["*"], max_calls=2))
    source = Address("192.0.2.1", 5060)
    assert one.admit(A, source, "100", 0.0) is not None
    assert one.route(B, "tel:1", 0.0).trunk is not None
    assert refusal(lambda: one.admit(C, source, "100", 0.0)) is HangupCause.TRUNK_FULL
    assert refusal(lambda: one.route(C, "tel:1", 0.0)) is HangupCause.TRUNK_FULL
    one.release(A)
    one.release(A)
    one.release(C)
    assert one.route(C, "tel:1", 0.0).trunk is not None
    assert [state.calls for state in one.snapshot()] == [2]


def test_calls_a_second() -> None:
    one = desk(trunk("t", hosts=["192.0.2.1"], carries=["*"], max_calls_per_s=2))
    for at in (0.0, 0.0, 0.5):
        one.route(A, "tel:1", at)
    assert refusal(lambda: one.route(A, "tel:1", 0.6)) is HangupCause.TRUNK_FULL
    assert one.rate_of("192.0.2.1") == Rate(40.0, 80.0)
    assert one.rate_of("192.0.2.9") is None


def test_a_full_or_dead_trunk_hands_on_to_the_next() -> None:
    first = trunk("first", hosts=["192.0.2.1"], carries=["*"], max_calls=1)
    second = trunk("second", hosts=["192.0.2.2"], carries=["*"], priority=5)
    one = desk(first, second)
    names = [one.route(leg, "tel:1", 0.0).trunk for leg in (A, B)]
    assert [found.name for found in names if found] == ["first", "second"]
    one.release(A)
    one.set_down("first", "no answer to OPTIONS")
    way = one.route(A, "tel:1", 0.0)
    assert way.trunk is second
    assert one.best("tel:1").trunk is second
    one.set_down("second", "403 to REGISTER")
    assert refusal(lambda: one.route(C, "tel:1", 0.0)) is HangupCause.TRUNK_DOWN
    one.set_up("first")
    assert one.best("tel:1").trunk is first


def test_strangers() -> None:
    known, stranger = Address("192.0.2.1", 5060), Address("198.51.100.1", 5060)
    closed = desk(trunk("t", hosts=["192.0.2.1"]), strangers="refuse")
    assert refusal(lambda: closed.admit(A, stranger, "1", 0.0)) is HangupCause.UNKNOWN_SOURCE
    assert closed.admit(A, known, "1", 0.0) is not None
    assert desk().admit(A, stranger, "1", 0.0) is None
    silent = desk(trunk("t", hosts=["192.0.2.1"]), strangers="silent")
    invite = b"INVITE sip:1@x SIP/2.0\r\n"
    assert silent.is_silent and not closed.is_silent
    assert not silent.hears(invite, stranger, known=False)
    assert silent.hears(invite, stranger, known=True)
    assert silent.hears(invite, known, known=False)
    assert silent.hears(b"SIP/2.0 200 OK\r\n", stranger, known=False)
    assert silent.hears(b"REGISTER sip:x SIP/2.0\r\n", stranger, known=False)


def test_names_that_were_resolved_are_addresses_of_calls() -> None:
    one = desk(trunk("t", hosts=["carrier.test"]))
    changes: list[int] = []
    one.on_change = lambda: changes.append(1)
    assert one.admit(A, Address("192.0.2.9", 5060), "1", 0.0) is None
    one.learn("t", ["192.0.2.9", "carrier.test"])
    one.learn("t", ["192.0.2.9"])
    assert changes == [1]
    assert one.admit(A, Address("192.0.2.9", 5060), "1", 0.0) is not None
    one.put_in_force([trunk("other", hosts=["192.0.2.1"])])
    assert one.admit(B, Address("192.0.2.9", 5060), "1", 0.0) is None


def test_credentials_of_its_own_realm_only() -> None:
    one = desk(
        trunk("t", "secret", hosts=["c.test"], username="ada", realm="c.test"), trunk("no", hosts=["d.test"])
    )
    place = Address("192.0.2.9", 5060)
    assert one.credentials("t", "c.test", place) == Credentials("ada", "secret")
    assert one.credentials("t", "evil.test", place) is None
    assert one.credentials("no", "d.test", place) is None
    assert one.credentials("", "c.test", place) is None


def test_refusals_are_counted() -> None:
    counters = Counters()
    one = TrunkDesk([trunk("t", hosts=["192.0.2.1"])], "refuse", counters)
    refusal(lambda: one.route(A, "tel:1", 0.0))
    refusal(lambda: one.admit(A, Address("198.51.100.1", 1), "1", 0.0))
    assert counters.get(TrunkCounter.NOT_ALLOWED) == counters.get(TrunkCounter.UNKNOWN_SOURCE) == 1


# -------------------------------------------------------------------- caller id


def shown(caller: CallerOut, **rules: Any) -> tuple[str, dict[str, str]]:
    one = trunk("t", hosts=["c.test"], username="line7", numbering={**GERMAN, "send": "e164"}, caller_id=rules)
    sender, headers = present(one, caller)
    return sender, dict(headers)


ADA = CallerOut("030123", "Ada")


def test_a_caller_is_passed_on() -> None:
    assert shown(ADA) == ('"Ada" <sip:+4930123@c.test>', {})
    assert shown(ADA, identity="pai")[1] == {"P-Asserted-Identity": '"Ada" <sip:+4930123@c.test>'}
    assert shown(ADA, identity="ppi")[1] == {"P-Preferred-Identity": '"Ada" <sip:+4930123@c.test>'}
    assert shown(ADA, identity="rpid")[1] == {
        "Remote-Party-ID": '"Ada" <sip:+4930123@c.test>;party=calling;screen=yes;privacy=off'
    }


def test_what_is_not_theirs_to_show_is_replaced() -> None:
    rules = {"number": "+49301000", "name": "House", "allowed": ["+4930*"]}
    assert shown(CallerOut("+15550100", "Eve"), **rules)[0] == '"House" <sip:+49301000@c.test>'
    assert shown(ADA, **rules)[0] == '"Ada" <sip:+4930123@c.test>'
    assert shown(CallerOut(), **rules)[0] == '"House" <sip:+49301000@c.test>'
    assert shown(CallerOut())[0] == "<sip:line7@c.test>"


def test_the_account_in_from() -> None:
    sender, headers = shown(ADA, from_user="account", identity="ppi")
    assert sender == '"Ada" <sip:line7@c.test>'
    assert headers == {"P-Preferred-Identity": '"Ada" <sip:+4930123@c.test>'}


def test_who_is_withheld_is_known_to_the_network_alone() -> None:
    hidden = CallerOut("030123", "Ada", withheld=True)
    sender, headers = shown(hidden, identity="pai")
    assert sender == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert headers == {"P-Asserted-Identity": "<sip:+4930123@c.test>", "Privacy": "id"}
    assert shown(hidden, privacy="never")[0] == '"Ada" <sip:+4930123@c.test>'
    assert shown(ADA, privacy="always")[1] == {"Privacy": "id"}
    assert shown(hidden, from_user="account")[0] == '"Anonymous" <sip:line7@c.test>'
    assert "privacy=full" in shown(hidden, identity="rpid")[1]["Remote-Party-ID"]


def test_a_name_cannot_end_its_line() -> None:
    sender, _ = shown(CallerOut("1", 'A"\r\nX-Evil: 1\0 ü'))
    assert "\r" not in sender and "\n" not in sender and "\0" not in sender


# -------------------------------------------------------------------- headers


def test_headers_in() -> None:
    profile = HeaderSettings.model_validate({"incoming": ["X-*", "subject"], "max_bytes": 64, "max_count": 2})
    headers = {"Via": "v", "x-a": "1", "X-Long": "l" * 65, "Subject": "s", "X-More": "2"}
    assert incoming(profile, headers) == {"x-a": "1", "Subject": "s"}
    everything = HeaderSettings()
    assert incoming(everything, {"Authorization": "Digest …", "Via": "v"}) == {"Via": "v"}


def test_headers_that_somebody_else_is_to_say() -> None:
    """As the trunk of the leg has it, but for what only we say there."""
    settings = {"outgoing": ["X-*"], "fixed": {"X-Site": "berlin"}}
    one = desk(trunk("t", hosts=["192.0.2.1"], headers=settings))
    calls = TrunkCalls(one, Speech(()))
    told = (("X-Call", "7"), ("User-to-User", "00"))
    assert calls.refer_headers(A, told) == told
    one.admit(A, Address("192.0.2.1", 5060), "100", 0.0)
    assert calls.refer_headers(A, told) == (("X-Call", "7"),)


def test_headers_out() -> None:
    profile = HeaderSettings.model_validate({"fixed": {"X-Site": "berlin"}, "max_bytes": 64})
    wanted = [
        ("x-site", "evil"),
        ("X-Call", "7"),
        ("P-Asserted-Identity", "<sip:boss@x>"),
        ("X-Break", "a\r\nB: c"),
        ("X-Nul", "a\0"),
        ("X-Long", "l" * 65),
        ("bad name", "1"),
        ("User-to-User", "00"),
    ]
    assert outgoing(profile, wanted) == (("X-Site", "berlin"), ("X-Call", "7"), ("User-to-User", "00"))
    few = HeaderSettings.model_validate({"max_count": 1, "fixed": {"X-Site": "berlin"}})
    assert outgoing(few, wanted) == (("X-Site", "berlin"),)


def test_lists_of_names() -> None:
    assert is_listed("x-FOO", ["X-*"]) and is_listed("Anything", ["*"]) and is_listed("subject", ["Subject"])
    assert not is_listed("Subject2", ["Subject"])


def test_the_desk_tells_of_trunks_that_go_down_and_come_up() -> None:
    one = desk(trunk("t", hosts=["192.0.2.1"], carries=["*"]))
    told: list[TrunkState] = []
    one.on_state = told.append
    one.set_up("t")
    assert told == [], "it was up"
    for why in ("silent", "silent", "not registered: 403 Forbidden"):
        one.set_down("t", why)
    one.set_up("t")
    assert [(state.up, state.why) for state in told] == [
        (False, "silent"),
        (False, "not registered: 403 Forbidden"),
        (True, ""),
    ]


def test_which_other_trunks_stand_by() -> None:
    one = desk(trunk("a", hosts=["192.0.2.1"], carries=["*"]), trunk("b", hosts=["192.0.2.2"], carries=["*"]))
    assert one.has_other("tel:1", ["a"])
    assert not one.has_other("tel:1", ["a", "b"])
    one.set_down("b", "silent")
    assert not one.has_other("tel:1", ["a"])
    assert refusal(lambda: one.route(A, "tel:1", 0.0, ("a", "b"))) is HangupCause.TRUNK_DOWN


def test_how_trunks_stand_for_people() -> None:
    one = desk(trunk("a", hosts=["192.0.2.1"], carries=["*"], max_calls=3), trunk("b", hosts=["192.0.2.2"]))
    one.route(A, "tel:1", 0.0)
    one.set_down("b", "silent")
    failing = RegistrationSnapshot("a", "sip:a", False, "waiting", 0, 1, 403, "Forbidden", 1, "", ())
    silent = HealthSnapshot("b", Health.UP, 1.0, 408, 0.0, 1, (), "")
    a, b = statuses(one, TrunkWatchSnapshot((failing,), (silent,)))
    assert (a.up, a.calls, a.max_calls, a.last_error) == (True, 1, 3, "REGISTER: 403 Forbidden")
    assert (b.up, b.why, b.last_error) == (False, "silent", "no answer to OPTIONS")
