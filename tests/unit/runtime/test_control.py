"""Call control from outside, and supervisors who dial a code, through the real call manager."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.runtime.test_call_manager import Hall, play
from voicegw.base.causes import HangupCause
from voicegw.base.ids import CallId, LegId
from voicegw.call import facts as f
from voicegw.call.states import CallState, Control
from voicegw.call.supervision import SupervisorMode
from voicegw.call.transfer_request import TransferKind
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited
from voicegw.media import messages as m
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.orders import NoSuchCall, Refused

NOBODY = CallId("nobody")


class ControlledHall(Hall):
    """A hall whose calls can be controlled; the fake worker's word is passed on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.control = RuntimeControl(self.manager, bytes)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            for event in self.worker.events:
                if isinstance(event, m.MixChanged):
                    (live,) = self.control.live()
                    self.manager.on_media_event(m.MixChanged(live.call_id, event.edges, event.at))
            self.worker.events.clear()

    async def join(self, code: str, leg: str = "boss") -> None:
        await self.invite(leg, f"supervise+{code}")
        self.manager.on_leg_event(LegConfirmed(LegId(leg)))
        await self.settle()

    @property
    def call_id(self) -> CallId:
        (live,) = self.control.live()
        return live.call_id

    def facts_of(self, kind: type) -> list[f.AnyFact]:
        return [fact for facts in self.sink.by_call.values() for fact in facts if isinstance(fact, kind)]


def test_a_code_lets_a_phone_into_the_call_once() -> None:
    async def story() -> None:
        hall = ControlledHall()
        await hall.talk("a")
        code = hall.control.admit(hall.call_id, "Ada", SupervisorMode.TAKEOVER)
        await hall.join(code)
        (live,) = hall.control.live()
        assert (live.state, live.control) == (CallState.ACTIVE, Control.SUPERVISOR)
        assert live.supervisors == (("Ada", SupervisorMode.TAKEOVER),)
        assert hall.facts_of(f.SupervisorHasJoined) == [f.SupervisorHasJoined("Ada")]
        await hall.invite("again", f"supervise+{code}")
        await hall.invite("guess", "supervise+00000000")
        assert hall.signalling.said[-2:] == ["reject route_rejected"] * 2
        assert hall.manager.active == 1, "a supervisor is no call"

    play(story())


def test_what_happens_to_the_supervisors_leg_is_told_to_the_call() -> None:
    async def story() -> None:
        hall = ControlledHall()
        await hall.talk("a")
        await hall.join(hall.control.admit(hall.call_id, "Ada"))
        hall.manager.on_media_event(m.DtmfReceived(LegId("boss"), "3", 100))
        await hall.settle()
        assert hall.control.live()[0].supervisors == (("Ada", SupervisorMode.BARGE),)
        hall.manager.on_leg_event(LegEnded(LegId("boss"), HangupCause.CALLER_HANGUP))
        await hall.settle()
        assert hall.control.live()[0].supervisors == ()

    play(story())


def test_orders_for_no_call_and_orders_that_cannot_be_carried_out() -> None:
    async def story() -> None:
        hall = ControlledHall()
        for work in (
            hall.control.whisper_text(NOBODY, "Ada", "x"),
            hall.control.end(NOBODY, "Ada"),
            hall.control.transfer(NOBODY, "Ada", "sip:a@b", TransferKind.BLIND),
            hall.control.hand_back(NOBODY, "Ada"),
            hall.control.supervise(NOBODY, "Ada", "sip:a@b", SupervisorMode.LISTEN),
        ):
            with pytest.raises(NoSuchCall):
                await work
        with pytest.raises(NoSuchCall):
            hall.control.admit(NOBODY, "Ada")
        await hall.talk("a")
        with pytest.raises(Refused):
            await hall.control.transfer(hall.call_id, "Ada", "nobody", TransferKind.BLIND)
        with pytest.raises(Refused):
            await hall.control.supervise(hall.call_id, "Ada", "sip:a@b", SupervisorMode.NONE)
        await hall.control.whisper_text(hall.call_id, "Ada", "be kind")
        assert [fact.text for fact in hall.facts_of(f.SupervisorSpoke)] == ["be kind"]
        await hall.control.end(hall.call_id, "Ada")
        assert hall.signalling.said[-1] == "hangup supervisor_ended"

    play(story())


def test_a_port_for_a_call_that_is_gone_is_given_back() -> None:
    async def story() -> None:
        hall = ControlledHall()
        hall.manager.on_media_event(m.LegOpened(LegId("late"), 40000))
        assert hall.worker.commands[-1] == m.CloseLeg(LegId("late"))
        hall.manager.on_leg_event(LegInvited(LegId("b"), "supervise+x", "+1", "", {}, "b@peer", True))
        assert hall.signalling.said == ["reject route_rejected"]

    play(story())


def test_a_call_of_ours_rings_talks_and_is_written_down() -> None:
    async def story() -> None:
        hall = ControlledHall()
        with pytest.raises(Refused):
            hall.control.originate("sip:a@192.0.2.9", "nobody")
        with pytest.raises(Refused):
            hall.control.originate("the desk", "scripted")
        with pytest.raises(Refused, match="no colour"):
            hall.control.originate("sip:a@192.0.2.9", "scripted", told={"colour": "red"})
        call_id = hall.control.originate("sip:a@192.0.2.9", "scripted", "+4930999", {"order": "4711"})
        await hall.settle()
        assert hall.signalling.said == ["dial sip:a@192.0.2.9"]
        leg = hall.signalling.dialled[-1]
        assert hall.signalling.session is not None
        hall.manager.on_leg_event(LegAnswered(leg, hall.signalling.session))
        await hall.settle()
        assert len(hall.agent.turns) == 1
        offered = hall.sink.by_call[call_id][0]
        assert isinstance(offered, f.CallWasOffered)
        assert (offered.direction, offered.called, offered.calling) == ("out", "a", "+4930999")
        assert f.SlotWasFilled("order", "4711", confirmed=False) in hall.sink.by_call[call_id]
        assert hall.agent.contexts[-1].facts.known == {"order": "4711"}
        hall.manager.on_leg_event(LegEnded(leg, HangupCause.CALLER_HANGUP))
        await hall.settle()
        hall.manager.on_media_event(m.LegClosed(leg, m.LegStats()))
        await hall.settle()
        assert hall.causes() == ["caller_hangup"]
        assert hall.manager.active == 0

    play(story())


def test_no_line_is_left_for_a_call_of_ours() -> None:
    async def story() -> None:
        hall = ControlledHall(max_calls=1)
        await hall.talk("a")
        with pytest.raises(Refused):
            hall.control.originate("sip:a@192.0.2.9", "scripted")

    play(story())


def test_who_comes_when_the_call_is_ending_is_told_so() -> None:
    async def story() -> None:
        hall = ControlledHall()
        await hall.talk("a")
        call_id = hall.call_id
        code = hall.control.admit(call_id, "Ada")
        hall.manager.on_leg_event(LegEnded(LegId("a"), HangupCause.CALLER_HANGUP))
        hall.manager.on_media_event(m.LegClosed(LegId("a"), m.LegStats()))
        hall.manager.on_leg_event(LegInvited(LegId("boss"), f"supervise+{code}", "+1", "", {}, "b@peer", True))
        with pytest.raises((Refused, NoSuchCall)):
            await hall.control.whisper_text(call_id, "Ada", "too late")
        await hall.settle()
        assert hall.manager.active == 0
        assert hall.signalling.said[-1] in ("hangup supervision_over", "reject busy")

    play(story())


@pytest.mark.parametrize(
    ("tone", "cause"),
    [("busy", "peer_busy"), ("special_information", "number_unknown"), ("fax_calling", "fax_answered")],
)
def test_a_call_of_ours_ends_where_a_tone_answers_in_place_of_a_person(tone: str, cause: str) -> None:
    async def story() -> None:
        hall = ControlledHall()
        call_id = hall.control.originate("sip:a@192.0.2.9", "scripted")
        await hall.settle()
        leg = hall.signalling.dialled[-1]
        hall.manager.on_media_event(m.ToneHeard(leg, "ringback", 1.0))
        hall.manager.on_media_event(m.ToneHeard(leg, tone, 2.0))
        await hall.settle()
        assert not any(said.startswith("hangup") for said in hall.signalling.said), (
            "before the answer, it is awaited"
        )
        assert hall.signalling.session is not None
        hall.manager.on_leg_event(LegAnswered(leg, hall.signalling.session))
        hall.manager.on_media_event(m.ToneHeard(leg, tone, 3.0))
        await hall.settle()
        assert hall.signalling.said[-1] == f"hangup {cause}"
        assert f.ToneWasHeard("caller", "ringback") in hall.sink.by_call[call_id]

    play(story())
