"""What is well-formed in a script and still cannot be meant: each with its line and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from voicegw.agents.flow_graph import QUESTIONS, global_targets, step_targets, successors
from voicegw.agents.flow_llm_check import BUILT_IN, llm_problems
from voicegw.agents.flow_model import FlowFile, JsonTemplate, Step
from voicegw.agents.slots import slot_problems
from voicegw.agents.template import Template, TemplateError, parse_template
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean
from voicegw.dialplan.yaml_lines import Document, Path


def check_flow(script: FlowFile, document: Document) -> list[ConfigError]:
    """All problems, in the order of lines."""
    checks = (_names, _targets, _languages, _intents, _slots, llm_problems, _bodies, _variables)
    problems = [problem for check in checks for problem in check(script, document)]
    if not problems:
        problems = [*_unreachable(script, document), *_loops(script, document)]
    return sorted(problems, key=lambda problem: problem.line)


def _names(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Step names are unique."""
    seen: dict[str, int] = {}
    for i, step in enumerate(script.steps):
        path: Path = ("steps", i, "id")
        if step.id in seen:
            message = f"two steps are named '{step.id}', the other in line {seen[step.id]}"
            yield document.error(path, message, "give each step a name of its own")
        elif step.id:
            seen[step.id] = document.line(path)


def _languages(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """A step changes to a language that the script has."""
    known = (script.language, *script.languages)
    for i, step in enumerate(script.steps):
        if step.language is not None and step.language not in known:
            message = f"the script has no language '{step.language}'"
            yield document.error(("steps", i, "language"), message, did_you_mean(step.language, known))


def _targets(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Every name that is gone to exists."""
    names = {step.id for step in script.steps if step.id}
    in_steps = (
        (("steps", i, *path), target) for i, step in enumerate(script.steps) for path, target in step_targets(step)
    )
    for path, target in chain(in_steps, global_targets(script)):
        if target not in names:
            yield document.error(path, f"there is no step named '{target}'", did_you_mean(target, names))


def _intents(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Intents are known, used, and do not share a phrase."""
    used: set[str] = set()
    for i, step in enumerate(script.steps):
        for name in step.intent.on if step.intent else ():
            used.add(name)
            if name not in script.intents:
                hint = did_you_mean(name, script.intents)
                yield document.error(("steps", i, "intent", "on", name), f"there is no intent '{name}'", hint)
    phrases: dict[str, str] = {}
    for name, intent in script.intents.items():
        if name not in used:
            yield document.error(("intents", name), f"no step asks for the intent '{name}'", "remove it")
        for phrase in intent.phrases:
            other = phrases.setdefault(phrase.lower().strip(), name)
            if other != name:
                message = f"the phrase '{phrase}' is in the intent '{other}' too"
                yield document.error(("intents", name), message, "keep it in one of the two")


def _slots(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Ask steps do not contradict themselves; what is corrected is asked for somewhere."""
    asked = {step.ask.save for step in script.steps if step.ask}
    for i, step in enumerate(script.steps):
        if step.ask is None:
            continue
        for key, message, fix in slot_problems(step.ask):
            yield document.error(("steps", i, "ask", key), message, fix)
        for name in step.ask.corrects:
            if name not in asked:
                message = f"no ask step saves '{name}', so it cannot be corrected"
                yield document.error(("steps", i, "ask", "corrects"), message, did_you_mean(name, asked))
        if step.ask.save in BUILT_IN:
            message = f"'{step.ask.save}' is a built-in variable"
            yield document.error(("steps", i, "ask", "save"), message, "choose another name")


def _bodies(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Texts inside a webhook body parse; the address is one."""
    for i, step in enumerate(script.steps):
        if step.webhook is None:
            continue
        first = step.webhook.url.parts[0] if step.webhook.url.parts else ""
        if isinstance(first, str) and not first.startswith(("http://", "https://")):
            fix = "begin it with http:// or https://, or with {{ a_variable }}"
            yield document.error(("steps", i, "webhook", "url"), f"'{first}' is no web address", fix)
        for text in _body_texts(step.webhook.body):
            try:
                parse_template(text)
            except TemplateError as error:
                message, _, fix = str(error).partition("\nfix: ")
                yield document.error(("steps", i, "webhook", "body"), message, fix)


def _body_texts(body: JsonTemplate) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict | list):
        for value in body.values() if isinstance(body, dict) else body:
            yield from _body_texts(value)


def _step_reads(step: Step) -> Iterator[tuple[Path, Template | str]]:
    """All texts and conditions of a step (conditions as names), with their place in it."""
    if step.say:
        yield ("say",), step.say.text
    if step.disclose:
        yield ("disclose",), step.disclose.text
    for kind in QUESTIONS:
        question = getattr(step, kind)
        if question is not None:
            yield (kind, "prompt"), question.prompt
            for i, text in enumerate(question.again):
                yield (kind, "again", i), text
    if step.ask and step.ask.confirm_prompt:
        yield ("ask", "confirm_prompt"), step.ask.confirm_prompt
    if step.webhook:
        yield from _webhook_reads(step)
    if step.llm:
        yield ("llm", "instructions"), step.llm.instructions
        if step.llm.say:
            yield ("llm", "say"), step.llm.say
    for name, value in (step.set or {}).items():
        if isinstance(value, Template):
            yield ("set", name), value
    for i, case in enumerate(step.branch or ()):
        for name in sorted(case.if_.names) if case.if_ else ():
            yield ("branch", i, "if"), name
    if step.transfer:
        yield ("transfer",), step.transfer.target
    for kind, last in (("transfer", step.transfer), ("hangup", step.hangup), ("refuse", step.refuse)):
        if last and last.say:
            yield (kind, "say"), last.say


def _webhook_reads(step: Step) -> Iterator[tuple[Path, Template | str]]:
    if step.webhook is None:
        return
    yield ("webhook", "url"), step.webhook.url
    if step.webhook.say:
        yield ("webhook", "say"), step.webhook.say
    for header, text in step.webhook.headers.items():
        yield ("webhook", "headers", header), text
    for body in _body_texts(step.webhook.body):
        yield ("webhook", "body"), parse_template(body)


def _reads(script: FlowFile) -> Iterator[tuple[Path, str]]:
    """Every variable that is read, and where."""
    texts: list[tuple[Path, Template | str]] = []
    if script.greeting:
        texts.append((("greeting",), script.greeting))
    texts += [(("texts", name), getattr(script.texts, name)) for name in type(script.texts).model_fields]
    for tag, one in script.languages.items():
        own = one.texts or script.texts
        texts += [(("languages", tag, "texts", name), getattr(own, name)) for name in type(own).model_fields]
    for i, step in enumerate(script.steps):
        texts += [(("steps", i, *path), text) for path, text in _step_reads(step)]
    for path, text in texts:
        for name in sorted(text.names) if isinstance(text, Template) else (text,):
            yield path, name


def _variables(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """What is read is set somewhere, and what is declared or fetched is read somewhere."""
    asked = {step.ask.save for step in script.steps if step.ask}
    asked |= {name for step in script.steps if step.llm for name in step.llm.collect}
    given = _given(script)
    try:
        reads = list(_reads(script))
    except TemplateError:
        return
    known = asked | given.keys() | BUILT_IN
    for path, name in reads:
        if name not in known:
            yield document.error(path, f"nothing sets the variable '{name}'", did_you_mean(name, known))
    read = {name for _, name in reads}
    for name, place in given.items():
        if name not in read:
            yield document.error(place, f"the variable '{name}' is never used", "use it, or remove it")


def _given(script: FlowFile) -> Mapping[str, Path]:
    """Variables that are declared, set or fetched, with the first place that does."""
    given: dict[str, Path] = {name: ("variables", name) for name in script.variables}
    for i, step in enumerate(script.steps):
        for name in step.set or {}:
            given.setdefault(name, ("steps", i, "set", name))
        for name in step.webhook.save if step.webhook else {}:
            given.setdefault(name, ("steps", i, "webhook", "save", name))
    return given


def _unreachable(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Steps that no path leads to."""
    index = {step.id: i for i, step in enumerate(script.steps) if step.id}
    todo = [0, *(index[target] for _, target in global_targets(script))]
    reached: set[int] = set()
    while todo:
        position = todo.pop()
        if position < len(script.steps) and position not in reached:
            reached.add(position)
            todo += successors(script, position)
    for i, step in enumerate(script.steps):
        if i not in reached:
            name = f"'{step.id}'" if step.id else f"number {i + 1}"
            yield document.error(("steps", i), f"no path leads to the step {name}", "go to it, or remove it")


def _loops(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Circles without a question and without a choice: the caller would hear one for ever."""
    for start in range(len(script.steps)):
        position, seen = start, [start]
        while position < len(script.steps) and script.steps[position].kind not in (*QUESTIONS, "llm"):
            following = successors(script, position)
            if len(following) != 1:
                break
            position = following.pop()
            if position == start and start == min(seen):
                message = "an endless circle of steps without a question"
                yield document.error(("steps", start), message, "ask something, branch out, or hang up in it")
                break
            if position in seen:
                break
            seen.append(position)
