"""What an agent's file says about the time when nothing that thinks for it answers (``ladder:``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from voicegw.dialplan.checked import StrictModel

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]


class MenuChoice(StrictModel):
    """What a key does: exactly one of the three."""

    say: str = ""
    """Tell this, and offer the menu again."""
    transfer: str = ""
    """Put the caller through: a SIP URI or a name that the server knows."""
    message: str = ""
    """Say this and end the call."""

    @model_validator(mode="after")
    def _one_thing(self) -> MenuChoice:
        given = [name for name in ("say", "transfer", "message") if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            raise ValueError(f"a key does exactly one thing, this one {found}\nfix: say, transfer or message")
        return self


class LadderMenu(StrictModel):
    """A menu for the keypad. It is also offered as long as the caller cannot be heard."""

    prompt: str = Field(min_length=1)
    """Names the keys; said whenever the menu is offered."""
    keys: dict[Key, MenuChoice] = Field(min_length=1)
    max_misses: int = Field(default=2, ge=0, le=10)
    """Silences and wrong keys in a row that are forgiven with the prompt said again."""


class LadderModel(StrictModel):
    """Below the models and the ``fallback`` script: a menu, a person, and last words that always work."""

    menu: LadderMenu | None = None
    human: str = ""
    """Where a person answers: a SIP URI or a name that the server knows; empty for nobody."""
    connecting: str = "I will put you through to someone. One moment, please."
    """Said before a transfer."""
    message: str = "I am sorry, we cannot help you at the moment. Please call again later. Goodbye."
    """The last words, when nothing else is left or nobody takes the call."""


def ladder_prompts(ladder: LadderModel) -> tuple[str, ...]:
    """Everything that is said on the way down."""
    menu = ladder.menu
    choices = [text for key in menu.keys.values() for text in (key.say, key.message)] if menu is not None else []
    texts = (menu.prompt if menu is not None else "", *choices, ladder.connecting if _connects(ladder) else "")
    return tuple(filter(None, (*texts, ladder.message)))


def _connects(ladder: LadderModel) -> bool:
    return bool(ladder.human) or (
        ladder.menu is not None and any(key.transfer for key in ladder.menu.keys.values())
    )
