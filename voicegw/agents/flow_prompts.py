"""What a script says to everybody: its texts without holes."""

from __future__ import annotations

from collections.abc import Iterator

from voicegw.agents.flow_graph import step_languages
from voicegw.agents.flow_model import FlowFile, Step
from voicegw.agents.template import Template


def flow_prompts(script: FlowFile, language: str) -> tuple[str, ...]:
    """All of them as they are said in a language of the script, the greeting first, each once.

    A step is said in a language if a call may come to it in that language.
    """
    texts = [script.greeting] if language == script.language else []
    for step, spoken_in in zip(script.steps, step_languages(script), strict=True):
        if language in spoken_in:
            texts += _texts(step)
    standing = script.texts_in(language)
    texts += [getattr(standing, name) for name in type(standing).model_fields]
    fixed = (text.spoken({}, language) for text in texts if text is not None and not text.names)
    return tuple(dict.fromkeys(filter(None, fixed)))


def _texts(step: Step) -> Iterator[Template | None]:
    for short in (step.say, step.disclose):
        if short is not None:
            yield short.text
    if step.ask is not None:
        yield from (step.ask.prompt, *step.ask.again, step.ask.confirm_prompt)
    for question in (step.menu, step.intent, step.consent):
        if question is not None:
            yield from (question.prompt, *question.again)
    for last in (step.llm, step.webhook, step.transfer, step.hangup, step.refuse):
        if last is not None:
            yield last.say
