"""Read a dialplan file; everything that is wrong with it is reported at once, with file, line and fix."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean, load_yaml, read_text
from voicegw.dialplan.compile import CompiledRoute, compile_route, find_zone
from voicegw.dialplan.match import Dialplan
from voicegw.dialplan.model import DialplanFile
from voicegw.dialplan.yaml_lines import ConfigProblems, Document


def load_dialplan(path: Path, agents: Collection[str] | None = None) -> Dialplan:
    """Read ``path``; see :func:`parse_dialplan`."""
    return parse_dialplan(read_text(path), str(path), agents)


def parse_dialplan(text: str, file: str = "dialplan.yaml", agents: Collection[str] | None = None) -> Dialplan:
    """Compile a dialplan. ``agents``: the names there are (None: not checked).

    Raises :class:`~voicegw.base.errors.ConfigError`, or :class:`ConfigProblems` with all that is wrong.
    """
    model, document = load_yaml(DialplanFile, text, file)
    problems: list[ConfigError] = []
    routes: list[CompiledRoute] = []
    try:
        find_zone(model.time_zone)
    except ValueError as error:
        raise _error(document, ("time_zone",), error) from None
    for index, entry in enumerate(model.routes):
        try:
            routes.append(compile_route(entry, document.line(("routes", index)), model.time_zone))
        except ValueError as error:
            problems.append(_error(document, ("routes", index, "match", "time"), error))
    problems += _review(model, document, agents)
    if problems:
        raise ConfigProblems(problems)
    return Dialplan(tuple(routes), file)


def _review(model: DialplanFile, document: Document, agents: Collection[str] | None) -> Iterator[ConfigError]:
    """What is well-formed and still cannot be meant."""
    names: dict[str, int] = {}
    catch_all = ""
    for index, entry in enumerate(model.routes):
        path = ("routes", index)
        if entry.name in names:
            message = f"two routes are named '{entry.name}', the other in line {names[entry.name]}"
            yield document.error((*path, "name"), message, "give each route a name of its own")
        names.setdefault(entry.name, document.line(path))
        if catch_all:
            message = f"route '{entry.name}' can never match: '{catch_all}' above it has no conditions"
            yield document.error(path, message, f"move '{catch_all}' to the end")
        elif entry.match.model_fields_set == set():
            catch_all = entry.name
        if entry.agent and agents is not None and entry.agent not in agents:
            message = f"there is no agent named '{entry.agent}'"
            yield document.error((*path, "agent"), message, did_you_mean(entry.agent, agents))


def _error(document: Document, path: tuple[str | int, ...], error: ValueError) -> ConfigError:
    message, _, fix = str(error).partition("\nfix: ")
    return document.error(path, message, fix)
