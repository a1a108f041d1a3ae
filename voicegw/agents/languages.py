"""The languages of one agent, and when a caller has changed to another of them."""

from __future__ import annotations

from collections.abc import Iterable

from voicegw.agents.actions import SwitchLanguage
from voicegw.agents.tools.tool import Action, Tool, make_tool
from voicegw.ports.tools import ToolEffect

SWITCH = "switch_language"
LEAST_WORDS = 2
""""Okay" and "no" are words of several languages."""
LEAST_CONFIDENCE = 0.5


def same_language(languages: Iterable[str], tag: str) -> str:
    """The one of ``languages`` that ``tag`` means: ``de`` is de-AT where no other German is; empty if none."""
    known = list(languages)
    wanted = tag.lower()
    exact = (one for one in known if one.lower() == wanted)
    alike = (one for one in known if base(one) == base(tag))
    return next(exact, "") or next(alike, "") if tag else ""


def base(tag: str) -> str:
    """``de`` of ``de-AT``."""
    return tag.lower().replace("_", "-").split("-")[0]


def changed_language(languages: Iterable[str], current: str, heard: str, text: str, confidence: float) -> str:
    """The language in which the conversation should go on, empty for the one it is in.

    ``heard`` is what the recogniser says it was. One word is not enough, and neither is a doubtful text.
    """
    if not heard or base(heard) == base(current):
        return ""
    if len(text.split()) < LEAST_WORDS or confidence < LEAST_CONFIDENCE:
        return ""
    return same_language(languages, heard)


def language_rule(current: str, languages: Iterable[str]) -> str:
    """What a model is told about the languages of its agent."""
    return (
        f"You speak these languages: {', '.join(languages)}. The call begins in {current}. When the caller speaks "
        f"another of them or asks for it, call {SWITCH} first and go on in that language."
    )


def switch_tool(languages: Iterable[str]) -> Tool:
    """For a model: go on in another language."""
    schema = {
        "type": "object",
        "properties": {"language": {"type": "string", "enum": list(languages)}},
        "required": ["language"],
        "additionalProperties": False,
    }
    act = Action(lambda arguments: SwitchLanguage(str(arguments["language"])))
    told = "Changes the language in which you are heard and spoken. Call it before you speak the other language."
    return make_tool(SWITCH, told, schema, act, effect=ToolEffect.NONE)
