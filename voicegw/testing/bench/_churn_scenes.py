"""The calls of the churn bench: what real lines bring in an hour, each kind by a sipp of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.audio import g711
from voicegw.testing.bench import _sipp_scenes as s
from voicegw.testing.bench._sipp_load import Scene

_TRANSFERS: Final = """
name: {agent}
steps:
  - say: One moment.
  - transfer: {{target: {target}, on_failure: nobody}}
  - {{id: nobody, hangup: Sorry.}}
"""
AGENTS: Final = {
    "talk": """
name: talk
greeting: Hello.
limits: {no_input_ms: 3000, max_no_input: 10, max_no_match: 10}
globals: {goodbye: {goto: circle}, human: {goto: circle}}
steps:
  - id: circle
    menu:
      prompt: To hear this once again, please say once again, or press one.
      keys: {1: {phrases: [once again], goto: circle}}
""",
    "told": """
name: told
greeting: Hello, caller {{ calling }}.
steps:
  - hangup: Goodbye.
""",
    **{
        agent: _TRANSFERS.format(agent=agent, target=target)
        for agent, target in (("bridge", "desk"), ("busy_desk", "busy"), ("refer", "blind"))
    },
}
DIALPLAN: Final = """
routes:
  - {name: announced, match: {called: announced}, agent: talk, announce: This call costs nothing. Please hold on.}
  - {name: engaged, match: {called: engaged}, reject: busy}
  - {name: talk, match: {called: talk}, agent: talk}
  - {name: told, match: {called: told}, agent: told}
  - {name: bridge, match: {called: bridge}, agent: bridge}
  - {name: busy desk, match: {called: busy_desk}, agent: busy_desk}
  - {name: refer, match: {called: refer}, agent: refer}
"""
_TOO_LONG_MS: Final = 90_000
_FRAME: Final = 160


def sound_of(pcm: bytes, silence_s: float, whole_s: float) -> bytes:
    """µ-law: silence, then the speech (8 kHz PCM), then silence to the end."""
    speech = np.frombuffer(pcm, "<i2")
    samples = np.zeros(round(whole_s * 8000) // _FRAME * _FRAME, np.int16)
    begin = round(silence_s * 8000)
    samples[begin : begin + len(speech)] = speech[: len(samples) - begin]
    return g711.encode(samples, g711.Law.ULAW).tobytes()


def sections(desk_port: int, busy_port: int) -> dict[str, object]:
    """Whom agents transfer to."""
    kinds = (("desk", desk_port, "bridged"), ("busy", busy_port, "bridged"), ("blind", desk_port, "blind"))
    targets = [{"name": name, "uri": f"sip:{name}@127.0.0.1:{port}", "kind": kind} for name, port, kind in kinds]
    return {"targets": targets}


def scenes(sound: Path, per_s: float, seconds: float) -> list[Scene]:
    """All of them together ``per_s`` a second for so long. ``sound`` is what callers say, µ-law."""
    parts = _parts(sound)
    whole = sum(share for share, *_ in parts)
    made = []
    for share, name, service, transport, text in parts:
        # sipp counts calls in ten seconds.
        rate = max(1, round(per_s * share / whole * 10)) / 10
        calls = max(1, round(rate * seconds))
        made.append(Scene(name, text, service, rate, calls, transport))
    return made


def desks() -> Sequence[tuple[str, str]]:
    """Who is called: one that answers, and one that is busy."""
    return (("desk", s.desk()), ("busy", s.desk("486 Busy Here")))


def _parts(sound: Path) -> list[tuple[int, str, str, str, str]]:
    """Share, name, who is called, transport and scenario."""
    heard = s.invite(s.description(port="[rtpstream_audio_port]"))
    silent = s.invite(s.description())
    talk = s.scene(heard, s.answered(), s.speak(sound), s.pause(5000), s.hang_up(2))
    short = s.scene(silent, s.answered(), s.hang_up(2))
    return [
        (10, "talks", "talk", "u1", talk),
        (5, "talks_by_tcp", "talk", "t1", talk),
        (6, "hangs_up_at_once", "talk", "u1", short),
        (4, "hangs_up_at_once_by_tcp", "talk", "t1", short),
        (5, "is_told_goodbye", "told", "u1", s.scene(heard, s.answered(), s.speak(sound), _ended())),
        (5, "cancels", "announced", "u1", s.scene(silent, s.cancelled())),
        (5, "finds_it_engaged", "engaged", "u1", s.scene(silent, s.refused(486))),
        (4, "dials_wrong", "nobody", "u1", s.scene(silent, s.refused(404))),
        (5, "holds", "talk", "u1", _holding(sound)),
        (2, "is_put_through", "bridge", "u1", _put_through(sound)),
        (2, "finds_the_desk_busy", "busy_desk", "u1", s.scene(heard, s.answered(), s.speak(sound), _ended())),
        (2, "is_referred", "refer", "u1", _referred(sound)),
        (1, "never_acknowledges", "talk", "u1", s.scene(silent, s.accepted(), _ended())),
        (1, "falls_silent", "talk", "u1", s.scene(silent, s.answered(), _ended())),
    ]


def _ended() -> str:
    return s.wait_for("BYE", _TOO_LONG_MS)


def _holding(sound: Path) -> str:
    def there(version: int, *lines: str) -> str:
        return s.description(*lines, version=version, port="[rtpstream_audio_port]")

    return s.scene(
        s.invite(there(1)),
        s.answered(),
        s.speak(sound),
        s.pause(1500),
        s.again(2, there(2, "a=sendonly")),
        s.pause(1000),
        s.again(3, there(3, "a=sendrecv")),
        s.pause(1000),
        s.hang_up(4),
    )


def _put_through(sound: Path) -> str:
    """The caller hangs up after some seconds with the desk."""
    heard = s.invite(s.description(port="[rtpstream_audio_port]"))
    return s.scene(heard, s.answered(), s.speak(sound, -1), s.pause(8000), s.hang_up(2))


def _referred(sound: Path) -> str:
    heard = s.invite(s.description(port="[rtpstream_audio_port]"))
    progress = (s.notify(2, "active;expires=60", "100 Trying"), s.pause(500))
    done = s.notify(3, "terminated;reason=noresource", "200 OK")
    asked = s.wait_for("REFER", _TOO_LONG_MS)
    return s.scene(heard, s.answered(), s.speak(sound, -1), asked, *progress, done, _ended())
