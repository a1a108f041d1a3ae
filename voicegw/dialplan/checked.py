"""From line-numbered YAML to a pydantic model; every complaint of pydantic gets file, line and a fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from voicegw.base.errors import ConfigError
from voicegw.dialplan.yaml_lines import ConfigProblems, Document, Path, parse_yaml


class StrictModel(BaseModel):
    """Base of every model that is read from a file: frozen, unknown keys are errors, ``called: 100`` is text."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, validate_default=True)


M = TypeVar("M", bound=BaseModel)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'? allowed: …`` for a word that is not among ``known``."""
    names = sorted(set(known))
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}allowed: {', '.join(names) or 'nothing'}"


def read_text(path: FilePath) -> str:
    """The file as UTF-8 text; raises :class:`ConfigError` where that cannot be had."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", file=str(path), fix="save it as UTF-8") from None


def validate(model: type[M], document: Document) -> M:
    """Check the whole document; raises :class:`ConfigProblems` with everything that is wrong."""
    data = document.data if document.data is not None else {}
    problems = list(document.duplicates)
    try:
        result = model.model_validate(data)
    except ValidationError as error:
        problems += [_problem(model, document, item) for item in error.errors() if not _is_echo(item)]
        raise ConfigProblems(problems) from None
    if problems:
        raise ConfigProblems(problems)
    return result


def load_yaml(model: type[M], text: str, file: str) -> tuple[M, Document]:
    """Parse and check in one go; raises :class:`ConfigError` or :class:`ConfigProblems`."""
    document = parse_yaml(text, file)
    return validate(model, document), document


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails) -> ConfigError:
    """One pydantic complaint as an error of the file."""
    path, shown = _locate(document, details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        key = str(details["loc"][-1])
        allowed = {name for m in _models_at(model, details["loc"][:-1]) for name in _keys(m)}
        return document.error(path, f"unknown key '{key}'{_inside(shown[:-1])}", did_you_mean(key, allowed))
    if kind == "missing":
        key = str(details["loc"][-1])
        return document.error(path, f"'{key}' is missing{_inside(shown)}", f"add '{key}:'")
    if kind in ("literal_error", "enum"):
        expected = str(details.get("ctx", {}).get("expected", ""))
        words = [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]
        message = f"'{details['input']}' is not a value of '{_dotted(shown)}'"
        return document.error(path, message, did_you_mean(str(details["input"]), words))
    message = _WORDING.get(kind) or details["msg"].removeprefix("Value error, ")
    text, _, fix = message.partition("\nfix: ")
    return document.error(path, f"{_dotted(shown)}: {text}" if shown else text, fix)


_WORDING = {
    "model_type": "must be a block of 'key: value' lines",
    "dict_type": "must be a block of 'key: value' lines",
    "tuple_type": "must be a list: lines that begin with '- '",
    "list_type": "must be a list: lines that begin with '- '",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def _is_echo(details: ErrorDetails) -> bool:
    """Pydantic counts only the valid items of a list; a list emptied by errors is not one more error."""
    return details["type"] == "too_short" and bool(details["input"])


def _locate(document: Document, loc: tuple[str | int, ...]) -> tuple[Path, Path]:
    """The deepest path of ``loc`` that is in the file, and the same for reading (without union branch names)."""
    path: Path = ()
    data: object = document.data
    for part in loc:
        if isinstance(data, dict) and str(part) in data:
            data, path = data[str(part)], (*path, str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data, path = data[part], (*path, part)
    return path, path


def _inside(path: Path) -> str:
    return f" in '{_dotted(path)}'" if path else ""


def _dotted(path: Path) -> str:
    """``routes[2].match.called``: items counted from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The models that the value at ``loc`` may be an instance of."""
    models = [model]
    for part in loc:
        inner: list[type[BaseModel]] = []
        for candidate in models:
            for name, field in candidate.model_fields.items():
                if (field.alias or name) == part:
                    inner += _models_in(field.annotation)
        models = inner or models
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models named in a type expression such as ``dict[str, Model | None]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
