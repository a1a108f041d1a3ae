"""A SIP ladder as lines of text: one column for each party, one arrow for each message."""

from __future__ import annotations

from typing import Final

from voicegw.api.ladder import SERVER, Ladder, Step

_GAP: Final = 34
"""Characters between two columns."""
_MARGIN: Final = 12


def ladder_text(ladder: Ladder) -> str:
    """For people; ends with a newline."""
    columns = {party: _MARGIN + _GAP * place for place, party in enumerate(_parties(ladder.steps))}
    lines = [_heads(columns), *(_arrow(step, columns) for step in ladder.steps)]
    if ladder.dropped:
        lines.append(f"{ladder.dropped} messages in between were not kept")
    if not ladder.complete:
        lines.append("put together from what is known of the call; the messages themselves were not kept")
    for step in ladder.steps:
        if step.text:
            lines += ["", f"--- {step.at_ms:.0f} ms, {step.sender} to {step.receiver}", *step.text.splitlines()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _parties(steps: tuple[Step, ...]) -> list[str]:
    """The caller to the left of us, everybody else to the right, in the order in which they came."""
    others = dict.fromkeys(party for step in steps for party in (step.sender, step.receiver) if party != SERVER)
    first, *rest = others or [""]
    return [first, SERVER, *rest]


def _heads(columns: dict[str, int]) -> str:
    line = [" "] * (max(columns.values()) + _GAP)
    for party, place in columns.items():
        begin = max(0, place - len(party) // 2)
        line[begin : begin + len(party)] = party[:_GAP]
    return "".join(line)


def _arrow(step: Step, columns: dict[str, int]) -> str:
    line = [" "] * (max(columns.values()) + 1)
    time = f"{step.at_ms:.0f} ms"[: _MARGIN - 1]
    line[: len(time)] = time
    for place in columns.values():
        line[place] = "|"
    left, right = sorted((columns[step.sender], columns[step.receiver]))
    line[left + 1 : right] = "-" * (right - left - 1)
    label = f" {_short(step.message)} "[: right - left - 5]
    middle = (left + right - len(label)) // 2 + 1
    line[middle : middle + len(label)] = label
    if columns[step.sender] < columns[step.receiver]:
        line[right - 1] = ">"
    else:
        line[left + 1] = "<"
    notes = (step.cseq, step.transport, "again" if step.again else "", step.note)
    return f"{''.join(line)}  {', '.join(filter(None, notes))}"


def _short(message: str) -> str:
    """The start line without what is the same in all."""
    return message.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0")
