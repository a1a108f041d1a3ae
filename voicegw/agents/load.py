"""Read agent files; everything that is wrong with one is reported at once, with file, line and fix."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from voicegw.agents.agent import Agent
from voicegw.agents.flow import Flow, compile_flow
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.flow_check import check_flow
from voicegw.agents.flow_model import EnvVariable, FlowFile, Scalar
from voicegw.agents.template import Variable
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import load_yaml, read_text
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.ports.http import HttpClient


def parse_flow(text: str, file: str = "agent.yaml", environment: Mapping[str, str] | None = None) -> Flow:
    """Compile a script; ``environment`` is where variables with ``env:`` start from.

    Raises :class:`~voicegw.base.errors.ConfigError`, or :class:`ConfigProblems` with all that is wrong.
    """
    script, document = load_yaml(FlowFile, text, file)
    if problems := check_flow(script, document):
        raise ConfigProblems(problems)
    return compile_flow(script, file, _start_values(script, environment or {}))


def load_flow(path: Path, environment: Mapping[str, str] | None = None) -> Flow:
    """Read one file; see :func:`parse_flow`."""
    return parse_flow(read_text(path), str(path), environment)


def load_flows(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, Flow]:
    """All agents of a folder (``*.yaml``) by name; raises :class:`ConfigProblems` with what is wrong in any."""
    flows: dict[str, Flow] = {}
    problems: list[ConfigError] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            flow = load_flow(path, environment)
        except ConfigProblems as error:
            problems += error.problems
        except ConfigError as error:
            problems.append(error)
        else:
            if flow.name in flows:
                message = f"the agent '{flow.name}' is in {flows[flow.name].file} too"
                problems.append(ConfigError(message, file=flow.file, fix="give each agent a name of its own"))
            flows[flow.name] = flow
    if problems:
        raise ConfigProblems(problems)
    return flows


def load_agents(folder: Path, http: HttpClient, environment: Mapping[str, str] | None = None) -> dict[str, Agent]:
    """All agents of a folder, by name, ready for calls; see :func:`load_flows`."""
    flows = load_flows(folder, environment)
    return {name: FlowAgent(flow, http) for name, flow in flows.items()}


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
