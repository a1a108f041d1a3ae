"""Which step of a script may follow which, and in what languages a step may be spoken."""

from __future__ import annotations

from collections.abc import Iterator

from voicegw.agents.flow_llm_check import llm_targets
from voicegw.agents.flow_model import LAST, FlowFile, Step
from voicegw.dialplan.yaml_lines import Path

QUESTIONS = ("ask", "menu", "intent", "consent")


def step_targets(step: Step) -> Iterator[tuple[Path, str]]:
    """Where a step may go by name, and the place in it that says so."""
    if step.next is not None:
        yield ("next",), step.next
    if step.goto is not None:
        yield ("goto",), step.goto
    if step.menu:
        for key, item in step.menu.keys.items():
            yield ("menu", "keys", key, "goto"), item.goto
    if step.intent:
        for name, target in step.intent.on.items():
            yield ("intent", "on", name), target
        if step.intent.otherwise is not None:
            yield ("intent", "otherwise"), step.intent.otherwise
    if step.webhook:
        yield ("webhook", "on_error"), step.webhook.on_error
    if step.consent and step.consent.refused is not None:
        yield ("consent", "refused"), step.consent.refused
    if step.transfer and step.transfer.on_failure is not None:
        yield ("transfer", "on_failure"), step.transfer.on_failure
    if step.llm:
        yield from llm_targets(step.llm)
    for i, case in enumerate(step.branch or ()):
        key, branch = ("goto", case.goto) if case.else_ is None else ("else", case.else_)
        if branch is not None:
            yield ("branch", i, key), branch


def global_targets(script: FlowFile) -> Iterator[tuple[Path, str]]:
    """Where a caller may get to from any question, and the place in the script that says so."""
    for name in ("human", "goodbye"):
        target = getattr(script.globals, name).goto
        if target is not None:
            yield ("globals", name, "goto"), target
    for tag, language in script.languages.items():
        if language.goto is not None:
            yield ("languages", tag, "goto"), language.goto


def successors(script: FlowFile, position: int) -> set[int]:
    """Positions that may follow ``position``; one past the last is the end of the script."""
    index = {step.id: i for i, step in enumerate(script.steps) if step.id}
    step = script.steps[position]
    found = {index[target] for _, target in step_targets(step)}
    falls = step.next is None and step.kind not in LAST
    if step.branch and any(case.else_ is not None for case in step.branch):
        falls = False
    return found | ({position + 1} if falls else set())


def step_languages(script: FlowFile) -> list[set[str]]:
    """Of each step the languages in which a call may come to it; empty where no path leads."""
    index = {step.id: i for i, step in enumerate(script.steps) if step.id}
    found: list[set[str]] = [set() for _ in script.steps]
    todo = [(0, script.language)]
    while todo:
        position, language = todo.pop()
        if position >= len(script.steps) or language in found[position]:
            continue
        found[position].add(language)
        step = script.steps[position]
        todo += [(index[target], tag) for tag, target in _changes(script, step)]
        if step.kind in (*QUESTIONS, "llm"):
            globals_ = (script.globals.human.goto, script.globals.goodbye.goto)
            todo += [(index[target], language) for target in globals_ if target is not None]
        for after in _languages_after(script, step, language):
            todo += [(following, after) for following in successors(script, position)]
    return found


def _changes(script: FlowFile, step: Step) -> Iterator[tuple[str, str]]:
    """Languages that a caller may change to by speaking them here, and where the script goes then."""
    if step.kind in QUESTIONS:
        for tag, one in script.languages.items():
            if one.goto is not None:
                yield tag, one.goto


def _languages_after(script: FlowFile, step: Step, language: str) -> tuple[str, ...]:
    """What is spoken when the step is over: a model may have changed to any."""
    if step.language is not None:
        return (step.language,)
    return (language, *script.languages) if step.llm is not None else (language,)
