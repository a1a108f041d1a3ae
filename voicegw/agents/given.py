"""What whoever orders a call tells a script: values for the variables that the script declares.

The declared value says what kind it is of: a number stays a number. A variable that comes from the environment may
be a secret and is not for callers of the API to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from voicegw.agents.flow_model import EnvVariable, FlowFile
from voicegw.agents.template import Variable
from voicegw.dialplan.checked import did_you_mean

_BOOLS: Final = {"true": True, "yes": True, "false": False, "no": False}


def why_not(script: FlowFile, name: str, value: str) -> str:
    """Why the script cannot be told this, for people; empty where it can."""
    open_names = [known for known, given in script.variables.items() if not isinstance(given, EnvVariable)]
    if name not in open_names:
        fix = did_you_mean(name, open_names) or f"declare it under 'variables' of the agent {script.name!r}"
        return f"the agent {script.name!r} has no variable {name!r} that a call may set; {fix}"
    try:
        _like(script.variables[name], value)
    except (ValueError, InvalidOperation):
        return f"{value!r} is no value for {name!r}, which begins as {script.variables[name]!r}"
    return ""


def told(script: FlowFile, known: Mapping[str, str]) -> dict[str, Variable]:
    """The values of what the script can be told; the rest of ``known`` is left out."""
    return {
        name: _like(script.variables[name], value)
        for name, value in known.items()
        if not why_not(script, name, value)
    }


def _like(declared: object, text: str) -> Variable:
    """``text`` as a value of the same kind; ValueError or InvalidOperation where it is none."""
    match declared:
        case bool():
            if text.lower() not in _BOOLS:
                raise ValueError(text)
            return _BOOLS[text.lower()]
        case int():
            return int(text)
        case float():
            number = Decimal(text)
            if not number.is_finite():
                raise ValueError(text)
            return number
        case _:
            return text
