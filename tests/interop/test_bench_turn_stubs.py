"""The turn bench with stubs, at its smallest: a node around engines of fixed delay talks over real SIP and RTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicegw.testing.bench._turn_calls import Load
from voicegw.testing.bench._turn_stubs import SCENARIOS, measure

pytestmark = [pytest.mark.realtime, pytest.mark.speech]


@pytest.mark.long
def test_a_caller_is_answered_and_interrupts_and_the_stubs_account_for_it(tmp_path: Path) -> None:
    slow = next(scenario for scenario in SCENARIOS if scenario.name == "slow, speculating")
    (outcome,) = asyncio.run(measure(tmp_path, Load(calls=1, parallel=1, lines=2, warm_up_lines=0), [slow]))
    result = outcome.result
    assert result.failures == []
    assert result.unmatched == 0
    assert len(result.turns) == 2
    assert len(result.stops_ms) == 1
    assert any(turn.speculated for turn in result.turns)
    assert outcome.work["llm_tokens"]["jobs"] >= 2
