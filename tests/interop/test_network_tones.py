"""What Asterisk plays in place of a person to whom we called, with the tones that it knows of many countries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.interop.api_desk import ApiDesk
from tests.interop.asterisk_peer import Asterisk
from tests.interop.fault_server import FaultServer
from tests.interop.sound import read_any_wav, seconds_with, speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


PERSON_HZ = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """A number of Asterisk's, what it does there, and what is to become of a call of ours."""

    steps: tuple[str, ...]
    tone: str
    cause: str


def plays(zone: str, tone: str) -> tuple[str, ...]:
    """It answers, plays that tone of that country, and waits."""
    return ("Answer()", f"Set(CHANNEL(tonezone)={zone})", f"Playtones({tone})", "Wait(12)")


RING = ("Progress()", "Set(CHANNEL(tonezone)=us)", "Playtones(ring)", "Wait(9)", "StopPlaytones()")
TALK = ("Answer()", f"Playtones({PERSON_HZ})", "Wait(6)", "Hangup()")
REFUSAL = ("Progress()", "Set(CHANNEL(tonezone)=de)", "Playtones(busy)", "Wait(8)", "Hangup(21)")
CASES = {
    "2601": Case(plays("us", "busy"), "busy", "peer_busy"),
    "2602": Case(plays("ru", "busy"), "busy", "peer_busy"),
    "2603": Case(plays("de", "congestion"), "congestion", "peer_overloaded"),
    "2604": Case(plays("us", "info"), "special_information", "number_unknown"),
    "2605": Case((*RING, *TALK), "ringback", "caller_hangup"),
    "2606": Case((*plays("uk", "ring")[:3], "Wait(8)", *TALK[1:]), "ringback", "caller_hangup"),
    "2607": Case(REFUSAL, "busy", "peer_forbids"),
    # The calling and the answering tone of a fax machine (ITU-T T.30 §4.3).
    "2608": Case(("Answer()", "Playtones(1100/500,0/3000)", "Wait(12)"), "fax_calling", "fax_answered"),
    "2609": Case(("Answer()", "Playtones(2100/3000,0/1000)", "Wait(12)"), "fax_answering", "fax_answered"),
}
PERSON = ("2605", "2606")
"""Where somebody talks in the end."""


def dialplan() -> str:
    """All these numbers."""
    lines = []
    for number, case in CASES.items():
        first, *rest = case.steps
        lines += [f"exten => {number},1,{first}", *(f" same => n,{step}" for step in rest)]
    return "\n".join(lines) + "\n"


def test_what_is_played_in_place_of_a_person_is_noticed_and_ends_the_call(tmp_path: Path) -> None:
    port, api_port = free_port(), free_port()
    asterisk = Asterisk(tmp_path, f"127.0.0.1:{port}", dialplan=dialplan())
    api = {"enabled": True, "listen_port": api_port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path, agent="few_words", port=port, settings={"api": api})
    server.write_trunk(**yaml.safe_load(asterisk.trunk("asterisk")))
    with asterisk, server, ApiDesk(server, None, f"http://127.0.0.1:{api_port}") as desk:
        for number in CASES:
            desk.post("/v1/calls", {"to": number, "agent": "few_words", "trunk": "asterisk"}, 202)
        logs = {log.one("CallWasOffered")["called"]: log for log in server.calls(len(CASES))}
    heard = {
        number: ([fact["tone"] for fact in log.all("ToneWasHeard")], log.cause) for number, log in logs.items()
    }
    assert heard == {number: ([case.tone], case.cause) for number, case in CASES.items()}
    for number in PERSON:
        (said, sent), rate_hz = read_any_wav(Path(logs[number].one("RecordingHasEnded")["path"]))
        assert seconds_with(said[:: rate_hz // 8000], PERSON_HZ) >= 1, number
        assert speech_seconds(sent[:: rate_hz // 8000]) >= 1, number
