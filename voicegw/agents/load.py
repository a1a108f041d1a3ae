"""Read agent files; everything that is wrong with one is reported at once, with file, line and fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from voicegw.agents.agent import Agent
from voicegw.agents.flow import Flow, compile_flow
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.flow_check import check_flow
from voicegw.agents.flow_llm import LlmStepKit
from voicegw.agents.flow_model import EnvVariable, FlowFile, Scalar
from voicegw.agents.lexicon import Lexicons, Pronunciation, load_lexicon
from voicegw.agents.llm_agent import LlmAgent, LlmHouse
from voicegw.agents.llm_model import LlmAgentFile
from voicegw.agents.template import Variable
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean, load_yaml, read_text
from voicegw.dialplan.yaml_lines import ConfigProblems, Document, parse_yaml
from voicegw.ports.http import HttpClient


def parse_flow(text: str, file: str = "agent.yaml", environment: Mapping[str, str] | None = None) -> Flow:
    """Compile a script; ``environment`` is where variables with ``env:`` start from.

    Raises :class:`~voicegw.base.errors.ConfigError`, or :class:`ConfigProblems` with all that is wrong.
    """
    return _parse(text, file, environment)[0]


def _parse(text: str, file: str, environment: Mapping[str, str] | None) -> tuple[Flow, Document]:
    script, document = load_yaml(FlowFile, text, file)
    if problems := check_flow(script, document):
        raise ConfigProblems(problems)
    return compile_flow(script, file, _start_values(script, environment or {})), document


def load_flow(path: Path, environment: Mapping[str, str] | None = None) -> Flow:
    """Read one file; see :func:`parse_flow`."""
    return parse_flow(read_text(path), str(path), environment)


def load_flows(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, Flow]:
    """All scripted agents of a folder by name; raises :class:`ConfigProblems` with what is wrong in any."""
    loader = _Loader[Flow]()
    for path in _files(folder):
        if not _is_llm(path):
            loader.add(path, partial(load_flow, path, environment))
    return loader.result()


def load_agents(
    folder: Path,
    http: HttpClient,
    environment: Mapping[str, str] | None = None,
    house: LlmHouse | None = None,
    words: tuple[Pronunciation, ...] = (),
) -> dict[str, Agent]:
    """All agents of a folder (``*.yaml``) by name, ready for calls; ``words`` are the installation's lexicon.

    Files with ``kind: llm`` need a ``house``. Raises :class:`ConfigProblems` with everything that is wrong in any.
    """
    loader = _Loader[Agent]()
    scripts = [path for path in _files(folder) if not _is_llm(path)]
    for path in scripts:
        loader.add(path, partial(_load_script, path, http, environment, house, words))
    for path in _files(folder):
        if path not in scripts:
            loader.add(path, partial(_load_llm, path, house, dict(loader.found), words))
    return loader.result()


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class _Loader(Generic[N]):
    """Collects agents by name, and every problem of every file."""

    def __init__(self, known: Mapping[str, N] | None = None) -> None:
        self.found: dict[str, N] = dict(known or {})
        self._places: dict[str, str] = {}
        self._problems: list[ConfigError] = []

    def add(self, path: Path, load: Callable[[], N]) -> None:
        try:
            agent = load()
        except ConfigProblems as error:
            self._problems += error.problems
            return
        except ConfigError as error:
            self._problems.append(error)
            return
        if agent.name in self.found:
            place = self._places.get(agent.name, "a script")
            message = f"the agent '{agent.name}' is in {place} too"
            self._problems.append(ConfigError(message, file=str(path), fix="give each agent a name of its own"))
        self.found[agent.name] = agent
        self._places[agent.name] = str(path)

    def result(self) -> dict[str, N]:
        if self._problems:
            raise ConfigProblems(self._problems)
        return self.found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _is_llm(path: Path) -> bool:
    """Whether the file says ``kind: llm``; one that cannot be read is judged by the loader of scripts."""
    try:
        data = parse_yaml(read_text(path), str(path)).data
    except ConfigError:
        return False
    return isinstance(data, dict) and data.get("kind") == "llm"


def _load_script(
    path: Path,
    http: HttpClient,
    environment: Mapping[str, str] | None,
    house: LlmHouse | None,
    words: tuple[Pronunciation, ...],
) -> Agent:
    flow, document = _parse(read_text(path), str(path), environment)
    kits = dict(_kits(flow, document, house))
    return FlowAgent(flow, http, _lexicon(flow.script.lexicon, path, words), kits)


def _kits(flow: Flow, document: Document, house: LlmHouse | None) -> Iterator[tuple[int, LlmStepKit]]:
    """What the steps for language models need, by position; raises ConfigError with the line of the step."""
    for position, step in enumerate(flow.script.steps):
        if step.llm is None:
            continue
        if house is None:
            raise document.error(("steps", position, "llm"), "language models are not available here")
        name = f"{flow.name}/{step.id or position + 1}"
        try:
            yield position, LlmStepKit(name, step.llm, flow.script, house)
        except ConfigError as error:
            raise document.error(("steps", position, "llm"), error.message, error.fix) from None


def _lexicon(name: str, agent_file: Path, words: tuple[Pronunciation, ...]) -> Lexicons:
    """The agent's own words before the installation's; raises ConfigError."""
    own = load_lexicon(agent_file.parent / name) if name else ()
    return Lexicons((*own, *words))


def _load_llm(
    path: Path, house: LlmHouse | None, scripts: Mapping[str, Agent], words: tuple[Pronunciation, ...]
) -> Agent:
    file, document = load_yaml(LlmAgentFile, read_text(path), str(path))
    if file.fallback and file.fallback not in scripts:
        message = f"there is no scripted agent named '{file.fallback}'"
        raise document.error(("fallback",), message, did_you_mean(file.fallback, scripts))
    if house is None:
        raise document.error(("kind",), "language models are not available here")
    lexicon = _lexicon(file.lexicon, path, words)
    try:
        return LlmAgent(file, house, scripts.get(file.fallback), lexicon)
    except ConfigError as error:
        raise document.error(("models",), error.message, error.fix) from None


def _start_values(script: FlowFile, environment: Mapping[str, str]) -> dict[str, Variable]:
    values: dict[str, Variable] = {}
    for name, given in script.variables.items():
        if isinstance(given, EnvVariable):
            values[name] = environment.get(given.env) or _plain(given.default)
        else:
            values[name] = _plain(given)
    return values


def _plain(value: Scalar) -> Variable:
    return Decimal(str(value)) if isinstance(value, float) else value
