"""The agent is silent as long as there is any reason, and is told the right thing when it has the caller back."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicegw.agents.agent import CallerTurn, TurnKind
from voicegw.runtime.agent_gate import AgentGate, Reason

FAILED = CallerTurn(TurnKind.TRANSFER_FAILED, "busy")


@dataclass
class Talk:
    """Writes down what it is told."""

    told: list[object] = field(default_factory=list)

    def hold(self) -> None:
        self.told.append("hold")

    def resume(self, turn: CallerTurn) -> None:
        self.told.append(turn.kind)

    def answer(self, turn: CallerTurn) -> None:
        self.told.append(("answer", turn.kind))


def test_one_reason_comes_and_goes() -> None:
    talk = Talk()
    gate = AgentGate(talk)
    gate.close(Reason.HOLD)
    assert not gate.is_open
    gate.open(Reason.HOLD)
    gate.close(Reason.SUPERVISOR)
    gate.open(Reason.SUPERVISOR)
    assert gate.is_open
    assert talk.told == ["hold", TurnKind.NO_INPUT, "hold", TurnKind.HANDED_BACK]


def test_the_last_reason_opens_and_a_failure_is_remembered_until_then() -> None:
    talk = Talk()
    gate = AgentGate(talk)
    gate.close(Reason.TRANSFER)
    gate.close(Reason.HOLD)
    gate.open(Reason.TRANSFER, FAILED)
    assert talk.told == ["hold"]
    gate.open(Reason.HOLD)
    assert talk.told == ["hold", TurnKind.TRANSFER_FAILED]


def test_a_turn_without_a_reason_is_answered_or_waits() -> None:
    talk = Talk()
    gate = AgentGate(talk)
    gate.open(Reason.TRANSFER, FAILED)
    assert talk.told == [("answer", TurnKind.TRANSFER_FAILED)]
    gate.close(Reason.SUPERVISOR)
    gate.open(Reason.TRANSFER, FAILED)
    gate.open(Reason.HOLD)
    gate.open(Reason.SUPERVISOR)
    assert talk.told[1:] == ["hold", TurnKind.TRANSFER_FAILED]
