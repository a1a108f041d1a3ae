"""Who guesses passwords and who walks through names: what they are answered, and when they are answered no more.

The guard, the registrar and the user agent together, as the gateway joins them; time is a number.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from voicegw.base.metrics import Counters
from voicegw.gateway.guard import Ban, BanReason, Guard
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_config import PhoneEntry, PhonesConfig
from voicegw.gateway.reception_desk import ReceptionDesk
from voicegw.gateway.token_bucket import Rate
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sip.address import Address
from voicegw.sip.challenges import Authenticator, Permit
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.digest import Algorithm, Credentials, make_ha1
from voicegw.sip.message import Headers, Request, Response, serialize
from voicegw.sip.parser import parse
from voicegw.sip.user_agent import UserAgent

DOMAIN = "voice.test"
HERE = Address("192.0.2.2", 5060)
GUESSER, HOUSE, TRUNK, BALANCER = "198.51.100.4", "198.51.100.5", "203.0.113.1", "203.0.113.9"
CONFIG = GuardConfig(wrong_answers=5, unanswered=8, stranger_burst=1000, strangers_per_s=1000)


class Server:
    """Knows Anna, whose password is "rose"; and a trunk that answers for itself."""

    def __init__(self, config: GuardConfig = CONFIG) -> None:
        self.counters, self.bans, self.now = Counters(), list[Ban](), 0.0
        self.marks = itertools.count()
        anna = PhoneEntry("anna", md5=make_ha1(Algorithm.MD5, "anna", DOMAIN, "rose"))
        phones = PhonesConfig(DOMAIN, accounts=(anna,), algorithms=("MD5",))
        self.book = PhoneBook(phones, random.Random(1).randbytes)
        self.guard = Guard(config, self.counters, self.bans.append, {TRUNK: Rate(1000, 1000)}.get)
        self.book.on_trial, self.book.sender = self.guard.note_trial, self.guard.sender
        desk = TrunkDesk((), "open", self.counters)
        reception = ReceptionDesk(self.book, desk, phones.policy, random.Random(2).randbytes)
        self.book.ignores = self.guard.ignores_sender
        agent = UserAgentConfig(local_address=lambda _peer: HERE, reception=reception, peers=self.guard)
        self.agent = UserAgent(agent, random.Random(3).randbytes, self.counters)

    def asks(self, request: Request, host: str) -> list[Response]:
        """What is answered at once; nothing where the guard does not listen."""
        data, source = serialize(request), Address(host, 5070)
        if self.guard.admits(data, source, self.now):
            self.agent.receive_datagram(data, source, self.now)
        answers = [parse(sent) for sent, _ in self.agent.datagrams_to_send()]
        for answer in answers:
            assert isinstance(answer, Response)
            self.guard.note_answer(answer.status, source, self.now)
        return [answer for answer in answers if isinstance(answer, Response)]


class Caller:
    """Asks and answers challenges from one address; ``added``: lines that are written behind the others."""

    def __init__(self, server: Server, host: str, *added: tuple[str, str]) -> None:
        self.server, self.host, self.added = server, host, added

    def request(self, method: str, user: str) -> Request:
        mark = f"m{next(self.server.marks)}"
        headers = [
            ("Via", f"SIP/2.0/UDP {self.host}:5070;branch=z9hG4bK{mark}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{user}@{DOMAIN}>;tag=t"),
            ("To", f"<sip:{user}@{DOMAIN}>"),
            ("Call-ID", mark),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:{user}@{self.host}:5070>"),
            *self.added,
        ]
        return Request(method, f"sip:{DOMAIN}", Headers(headers))

    def ask(self, user: str, method: str = "REGISTER") -> list[Response]:
        """Without credentials."""
        return self.server.asks(self.request(method, user), self.host)

    def try_(self, user: str, password: str, method: str = "REGISTER") -> int:
        """The status of a try with a password; 0 for silence."""
        request = self.request(method, user)
        asked = self.server.asks(request, self.host)
        if not asked:
            return 0
        known = Authenticator(lambda *_: Credentials(user, password), random.Random(4).randbytes)
        signed = known.answer(Permit("a"), request, asked[0], Address(self.host, 5070))
        assert signed is not None
        via = signed.headers.get("Via") or ""
        again = Request(method, signed.uri, signed.headers.with_("Via", f"{via}-2").with_("CSeq", f"2 {method}"))
        answers = self.server.asks(again, self.host)
        return answers[0].status if answers else 0


@pytest.mark.parametrize("user", ["anna", "nobody"])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE"])
def test_who_guesses_a_password_is_banned_whether_or_not_there_is_such_a_phone(user: str, method: str) -> None:
    server = Server()
    guesser = Caller(server, GUESSER)
    statuses = [guesser.try_(user, f"word{number}", method) for number in range(8)]
    assert statuses == [401] * 6 + [0, 0]
    assert server.bans == [Ban(GUESSER, BanReason.GUESSING, CONFIG.ban_s)]
    assert server.guard.snapshot(1.0).bans == tuple(server.bans)
    assert guesser.try_("anna", "rose", method) == 0, "too late"
    server.now = CONFIG.ban_s + 1
    assert guesser.try_("anna", "rose") == 200, "it was an honest one after all"


def test_a_guesser_who_is_told_to_wait_and_goes_on_is_banned_with_the_settings_as_they_come() -> None:
    server = Server(GuardConfig())
    guesser = Caller(server, GUESSER)
    statuses = []
    for number in range(25):
        server.now = number * 0.5
        statuses.append(guesser.try_("anna", f"word{number}"))
    assert statuses[:10] == [401] * 10 and 503 in statuses
    assert statuses[-3:] == [0, 0, 0] and len(server.bans) == 1
    assert server.counters.get(SipCounter.PHONES_WRONG) == len([status for status in statuses if status])


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE"])
def test_who_walks_through_names_is_banned(method: str) -> None:
    server = Server()
    walker = Caller(server, GUESSER)
    answers = [walker.ask(f"{100 + number}", method) for number in range(11)]
    assert [len(answer) for answer in answers] == [1] * 9 + [0, 0]
    assert [ban.reason for ban in server.bans] == [BanReason.UNANSWERED]
    assert server.counters.get(SipCounter.PHONES_ASKED) == 9


def test_a_phone_that_registers_every_minute_is_never_banned() -> None:
    server = Server()
    phone = Caller(server, HOUSE)
    for minute in range(200):
        server.now = minute * 60.0
        assert phone.try_("anna", "rose") == 200
    assert server.bans == []


def test_an_old_password_once_a_minute_is_heard_for_ever_and_so_is_the_house_around_it() -> None:
    server = Server()
    old, good = Caller(server, GUESSER), Caller(server, HOUSE)
    neighbours = [Caller(server, HOUSE) for _ in range(10)]
    for minute in range(100):
        server.now = minute * 60.0
        assert old.try_("anna", "an old one") == 401
        if minute % 30 == 0:
            assert good.try_("anna", "rose") == 200
        assert all(caller.try_("nobody", "old, too") in (401, 503) for caller in neighbours)
    assert server.bans == []


def test_many_old_passwords_where_nobody_registers_are_too_much() -> None:
    server = Server()
    for minute in range(10):
        server.now = minute * 60.0
        neighbours = [Caller(server, HOUSE) for _ in range(10)]
        assert all(caller.try_("anna", "old") in (401, 503, 0) for caller in neighbours)
    assert [ban.host for ban in server.bans] == [HOUSE]


def test_a_call_is_no_leave_to_guess() -> None:
    server = Server()
    caller = Caller(server, GUESSER)
    server.guard.acquaint(Address(GUESSER, 5070))
    assert all(caller.try_("anna", f"word{number}") in (401, 503) for number in range(20))
    assert server.bans == [], "the call goes on"
    server.guard.part(Address(GUESSER, 5070))
    assert caller.try_("anna", "one more") == 503
    assert [ban.reason for ban in server.bans] == [BanReason.GUESSING]


def test_trunks_and_trusted_networks_are_not_counted() -> None:
    server = Server(replace(CONFIG, trusted=(f"{HOUSE}/32",)))
    for host in (TRUNK, HOUSE):
        caller = Caller(server, host)
        assert all(caller.try_("nobody", f"word{number}") for number in range(12))
        assert all(caller.ask(f"{number}") for number in range(12))
    assert server.bans == []


def test_a_pardon_is_a_new_beginning() -> None:
    server = Server()
    guesser = Caller(server, GUESSER)
    assert [guesser.try_("anna", "no") for _ in range(7)][-1] == 0
    assert server.guard.pardon(GUESSER)
    assert [guesser.try_("anna", "no") for _ in range(4)] == [401] * 4


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE"])
def test_nothing_in_an_answer_tells_whether_a_name_exists(method: str) -> None:
    """The same status and the same headers with the same values, but for what is made anew for each answer."""

    def said(user: str, password: str) -> list[tuple[str, list[tuple[str, str]]]]:
        server = Server()
        caller = Caller(server, GUESSER)
        seen: list[Response] = []
        listen = server.asks
        server.asks = lambda request, host: [seen.append(one) or one for one in listen(request, host)]  # type: ignore[func-returns-value, method-assign]
        statuses = [caller.ask(user, method)[0].status] + [caller.try_(user, password, method) for _ in range(8)]
        assert set(statuses) == {401, 0}
        texts = [(f"{one.status} {one.reason}", [*one.headers]) for one in seen]
        return [(first, [(name, value.replace(user, "USER")) for name, value in rest]) for first, rest in texts]

    assert said("anna", "guess") == said("nobody", "guess") and len(said("anna", "guess")) > 6


def behind(server: Server, *named: str, balancer: str = BALANCER) -> Caller:
    return Caller(server, balancer, *(("X-Voicegw-Source", one) for one in named))


BALANCED = replace(CONFIG, balancers=(f"{BALANCER}/32",))


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE"])
def test_behind_a_balancer_who_guesses_is_told_apart_from_everybody_else(method: str) -> None:
    server = Server(BALANCED)
    guesser, honest = behind(server, GUESSER), behind(server, HOUSE)
    statuses = [guesser.try_("anna", f"word{number}", method) for number in range(7)]
    assert statuses == [401] * 7
    assert server.bans == [Ban(GUESSER, BanReason.GUESSING, CONFIG.ban_s)]
    server.now = 100.5
    (told,) = guesser.ask("anna", method)
    assert (told.status, told.headers.get("X-Voicegw-Banned")) == (401, "500"), "silence would be taken for death"
    assert guesser.try_("anna", "rose", method) == 401, "too late"
    assert honest.try_("anna", "rose") == 200
    assert Caller(server, GUESSER).ask("anna", method) == [], "and by no other way"


def test_behind_a_balancer_wrong_passwords_are_rationed_by_whom_it_names() -> None:
    server = Server(GuardConfig(balancers=(BALANCER,)))
    guesser, honest = behind(server, GUESSER), behind(server, HOUSE)
    statuses = [guesser.try_("anna", f"word{number}") for number in range(12)]
    assert statuses == [401] * 10 + [503] * 2
    assert honest.try_("anna", "old") == 401 and honest.try_("anna", "rose") == 200


def test_behind_a_balancer_who_walks_through_names_is_banned() -> None:
    server = Server(BALANCED)
    walker = behind(server, GUESSER)
    answers = [walker.ask(name)[0] for name in ["anna", *map(str, range(100, 110))]]
    assert {answer.status for answer in answers} == {401}, "one name is answered as the other"
    assert [answer.headers.get("X-Voicegw-Banned") for answer in answers] == [None] * 8 + ["600"] * 3
    stranger = walker.request("INVITE", "anna")
    elsewhere = Request("INVITE", "sip:7@example.org", stranger.headers.with_("From", "<sip:7@example.org>;tag=t"))
    assert [answer.status for answer in server.asks(elsewhere, BALANCER)][-1:] == [403], "nor is a call taken"


def test_nobody_but_a_balancer_says_who_somebody_is() -> None:
    server = Server(BALANCED)
    liar = behind(server, HOUSE, balancer=GUESSER)
    assert [liar.try_("anna", "no") for _ in range(7)][-1] == 0
    through = behind(server, "203.0.113.77", GUESSER)
    assert through.try_("anna", "rose") == 401, "what the sender wrote there comes first, and counts for nothing"
    assert [ban.host for ban in server.bans] == [GUESSER]


@pytest.mark.parametrize("named", [(), ("nobody",), ("",), (BALANCER,)])
def test_whom_a_balancer_does_not_name_has_its_address_and_its_trust(named: tuple[str, ...]) -> None:
    server = Server(BALANCED)
    known = behind(server, *named)
    assert all(known.try_("anna", "no") in (401, 503) for _ in range(20)) and server.bans == []


def test_an_ipv4_address_is_the_same_written_as_ipv6() -> None:
    server = Server(BALANCED)
    guesser, honest = behind(server, f"::ffff:{GUESSER}"), behind(server, f"::ffff:{HOUSE}")
    assert [guesser.try_("anna", "no") for _ in range(7)] == [401] * 7
    assert [ban.host for ban in server.bans] == [GUESSER]
    assert honest.try_("anna", "rose") == 200


def test_a_changed_configuration_names_other_balancers() -> None:
    server = Server(BALANCED)
    caller = behind(server, "[2001:db8::9]")
    assert [caller.try_("anna", "no") for _ in range(7)] == [401] * 7
    assert [ban.host for ban in server.bans] == ["2001:db8::9"]
    server.guard.use(CONFIG)
    assert caller.try_("anna", "rose") == 200, "what it says is not read any more"
