"""From documents in the store to the dialplan and agents in force.

Publishing is two steps: the whole installation as it would be is built and checked, then it is stored and put in
force. So a published installation always works, and a roll-back is only ever to something that worked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from voicegw.agents.flow_check import check_flow
from voicegw.agents.flow_model import FlowFile
from voicegw.agents.llm_model import LlmAgentFile
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import load_yaml
from voicegw.dialplan.load import parse_dialplan
from voicegw.dialplan.yaml_lines import ConfigProblems, parse_yaml

AGENT = "agent"
DIALPLAN = "dialplan"


@dataclass(frozen=True, slots=True)
class Documents:
    """Texts by name."""

    agents: Mapping[str, str] = field(default_factory=dict)
    dialplans: Mapping[str, str] = field(default_factory=dict)

    def changed(self, kind: str, name: str, text: str | None) -> Documents:
        """The same with one more, another, or (None) one less."""
        mine = dict(self.agents if kind == AGENT else self.dialplans)
        mine.pop(name, None)
        if text is not None:
            mine[name] = text
        return Documents(mine, self.dialplans) if kind == AGENT else Documents(self.agents, mine)


class Installer(Protocol):
    """Puts documents in force. Called in the runtime's loop."""

    async def rehearse(self, documents: Documents) -> None:
        """Build everything without any effect; raises ConfigError or ConfigProblems."""
        ...

    async def install(self, documents: Documents) -> None:
        """Put them in force for calls that begin from now on."""
        ...


class TrunkSwitch(Protocol):
    """Puts the trunks of the store in force. Called in the runtime's loop, after they have been stored."""

    async def changed(self) -> None:
        """Some trunk is another than before."""
        ...


class NoTrunks:
    """A switch without a node behind it."""

    async def changed(self) -> None:
        """See :class:`TrunkSwitch`."""


def check_document(kind: str, name: str, text: str, agents: frozenset[str] | None) -> None:
    """Check one document by itself; raises ConfigError or ConfigProblems.

    ``agents``: the names that a dialplan may lead to; None: not checked.
    """
    file = f"{name}.yaml"
    if kind == DIALPLAN:
        parse_dialplan(text, file, agents)
        return
    document = parse_yaml(text, file)
    is_llm = isinstance(document.data, dict) and document.data.get("kind") == "llm"
    named = _named(LlmAgentFile, text, file) if is_llm else _flow(text, file)
    if named != name:
        message = f"the agent calls itself '{named}', but is kept as '{name}'"
        raise document.error(("name",), message, f"name: {name}")


def check_all(documents: Documents) -> None:
    """Check everything, with everything that is wrong in any; raises ConfigProblems."""
    problems: list[ConfigError] = []
    names = frozenset(documents.agents)
    everything = [(AGENT, *item) for item in documents.agents.items()]
    everything += [(DIALPLAN, *item) for item in documents.dialplans.items()]
    for kind, name, text in everything:
        try:
            check_document(kind, name, text, names)
        except ConfigProblems as error:
            problems += error.problems
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise ConfigProblems(problems)


def _named(model: type[LlmAgentFile], text: str, file: str) -> str:
    parsed, _ = load_yaml(model, text, file)
    return parsed.name


def _flow(text: str, file: str) -> str:
    script, document = load_yaml(FlowFile, text, file)
    if problems := list(check_flow(script, document)):
        raise ConfigProblems(problems)
    return script.name
