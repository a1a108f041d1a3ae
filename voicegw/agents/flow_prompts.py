"""What a script says to everybody: its texts without holes."""

from __future__ import annotations

from collections.abc import Iterator

from voicegw.agents.flow_model import FlowFile, Step
from voicegw.agents.template import Template


def flow_prompts(script: FlowFile) -> tuple[str, ...]:
    """All of them as they are said, the greeting first, each once."""
    texts = [script.greeting, *(text for step in script.steps for text in _texts(step))]
    texts += [getattr(script.texts, name) for name in type(script.texts).model_fields]
    fixed = (text.spoken({}) for text in texts if text is not None and not text.names)
    return tuple(dict.fromkeys(filter(None, fixed)))


def _texts(step: Step) -> Iterator[Template | None]:
    if step.say is not None:
        yield step.say.text
    if step.ask is not None:
        yield from (step.ask.prompt, *step.ask.again, step.ask.confirm_prompt)
    if step.menu is not None:
        yield from (step.menu.prompt, *step.menu.again)
    if step.intent is not None:
        yield from (step.intent.prompt, *step.intent.again)
    for last in (step.webhook, step.transfer, step.hangup):
        if last is not None:
            yield last.say
