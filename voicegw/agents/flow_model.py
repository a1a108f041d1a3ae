"""An agent's script as its author writes it. ``docs/flows.md`` is the reference with examples.

Texts and conditions are parsed while the file is read, so that a mistake in one is reported with its line.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue, field_validator, model_validator

from voicegw.agents.flow_fields import (
    Condition,
    FlowModel,
    Phrases,
    SlotModel,
    StepName,
    Text,
    VariableName,
)
from voicegw.agents.flow_llm_model import LlmStep
from voicegw.agents.template import parse_template
from voicegw.base.causes import HangupCause
from voicegw.dialplan.model import reject_cause

Scalar: TypeAlias = bool | int | float | str
JsonTemplate: TypeAlias = JsonValue

_TALKING = ("say", "ask", "menu", "intent", "llm", "webhook", "disclose", "consent")
KINDS = (*_TALKING, "set", "language", "recording", "branch", "goto", "answer", "transfer", "hangup", "refuse")
LAST = ("menu", "intent", "llm", "goto", "transfer", "hangup", "refuse")
"""After these the step below does not follow by itself."""


class SayStep(FlowModel):
    """Speak; plain text is short for ``text``."""

    text: Text
    interruptible: bool = True
    """Whether the caller may talk over it."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class AskStep(SlotModel):
    """Ask for one value of a type and save it."""

    save: VariableName
    prompt: Text
    again: tuple[Text, ...] = ()
    """What to ask after a first, second, … failure; default an apology and the prompt."""
    confirm: Literal["always", "low_confidence", "never"] = "low_confidence"
    """When to read the value back; yes/no and text are never confirmed."""
    confirm_prompt: Text | None = None
    """The read-back, with ``{{ value }}``; default "I heard … . Is that right?"."""
    corrects: tuple[VariableName, ...] = ()
    """For yes_no: "no, wednesday" sets the one of these variables that it fits, and asks again."""
    no_input_ms: int | None = Field(default=None, ge=1000, le=60_000)
    """Silence in milliseconds after which the question is asked again; default of ``limits``."""
    sensitive: bool = False
    """Neither written down nor recorded: not the answer, not its read-back."""


class MenuKey(FlowModel):
    """One key of a menu."""

    phrases: Phrases
    """What callers say instead of pressing it."""
    goto: StepName


class MenuStep(FlowModel):
    """Choose by key or by voice."""

    prompt: Text
    keys: dict[Annotated[str, Field(pattern=r"^[0-9*]$")], MenuKey] = Field(min_length=1)
    again: tuple[Text, ...] = ()


class IntentStep(FlowModel):
    """Ask openly and go where the caller's intent leads."""

    prompt: Text
    on: dict[str, StepName] = Field(min_length=1)
    """intent → step."""
    otherwise: StepName | None = None
    """Where to go if nothing was understood; default: ask again."""
    again: tuple[Text, ...] = ()


class WebhookStep(FlowModel):
    """Call a web service and save fields of its JSON answer."""

    url: Text
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, Text] = Field(default_factory=dict)
    body: JsonTemplate = None
    """JSON with texts in it; ``{{ name }}`` alone keeps the type of the variable."""
    save: dict[VariableName, str] = Field(default_factory=dict)
    """variable → path in the answer: ``order.items.0.name``."""
    timeout_s: float = Field(default=5.0, gt=0, le=30)
    """Seconds; the caller hears nothing meanwhile unless ``say`` is given."""
    say: Text | None = None
    """Said while the answer is awaited."""
    on_error: StepName
    """Where to go without an answer, or with an HTTP status of 400 or more."""


class BranchCase(FlowModel):
    """``if`` and ``goto``, or ``else`` alone as the last one."""

    if_: Condition | None = Field(default=None, alias="if")
    goto: StepName | None = None
    else_: StepName | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _shape(self) -> BranchCase:
        conditional = self.if_ is not None and self.goto is not None and self.else_ is None
        last = self.else_ is not None and self.if_ is None and self.goto is None
        if not conditional and not last:
            raise ValueError(
                "needs 'if' with 'goto', or 'else'\nfix: {if: paid == true, goto: thanks} or {else: pay}"
            )
        return self


class DiscloseStep(FlowModel):
    """Say what the caller has to know, not to be talked over, and note it; plain text is short for ``text``."""

    text: Text

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class ConsentStep(FlowModel):
    """Ask whether the call may be recorded; plain text is short for ``prompt``. No answer is a no."""

    prompt: Text
    refused: StepName | None = None
    """Where to go after a no; default the step that follows."""
    again: tuple[Text, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"prompt": value} if isinstance(value, str) else value


class TransferStep(FlowModel):
    """Hand over to a person or another number; plain text is short for ``target``."""

    target: Text
    say: Text | None = None
    """What is said where nobody can take the call; default ``texts.no_human``."""
    on_failure: StepName | None = None
    """Where to go on when nobody took the call; default: ``say``, and the end of the call."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"target": value} if isinstance(value, str) else value


class HangupStep(FlowModel):
    """End the call; plain text is short for ``say``."""

    say: Text | None = None
    """The last words; default ``texts.goodbye``."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"say": value} if isinstance(value, str) else {} if value is None else value


class AnswerStep(FlowModel):
    """Answer the call: what was said before it is not charged for."""


class RefuseStep(FlowModel):
    """Refuse a call that is not answered; one that is, is ended. Plain text is short for ``cause``."""

    cause: str = HangupCause.ROUTE_REJECTED.value.name
    """By name (``busy``) or as a SIP status (``486``), as in a dialplan."""
    say: Text | None = None
    """Said before it, in early media."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"cause": str(value)} if isinstance(value, str | int) else value

    @field_validator("cause")
    @classmethod
    def _known(cls, value: str) -> str:
        reject_cause(value)
        return value


class Step(FlowModel):
    """One step: exactly one kind, a name for others to go to, and where to go after it."""

    id: Annotated[str, Field(pattern=r"^[\w-]+$")] | None = None
    next: StepName | None = None
    """The step after this one; default the one below."""
    say: SayStep | None = None
    ask: AskStep | None = None
    menu: MenuStep | None = None
    intent: IntentStep | None = None
    llm: LlmStep | None = None
    webhook: WebhookStep | None = None
    disclose: DiscloseStep | None = None
    consent: ConsentStep | None = None
    set: dict[VariableName, Text | bool | int] | None = None
    branch: tuple[BranchCase, ...] | None = Field(default=None, min_length=1)
    goto: StepName | None = None
    language: str | None = None
    """Go on in this one of ``languages``, or in the agent's own: another voice, and another recogniser."""
    answer: AnswerStep | None = None
    recording: Literal["pause", "resume"] | None = None
    """Record silence from here on, or what is heard again: around something that nobody may ever hear again."""
    transfer: TransferStep | None = None
    hangup: HangupStep | None = None
    refuse: RefuseStep | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        """``hangup:`` with nothing behind it, and the like."""
        if not isinstance(value, dict):
            return value
        bare = [kind for kind in ("hangup", "answer", "refuse") if value.get(kind, "") is None]
        return {**value, **{kind: {} for kind in bare}}

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise ValueError(f"a step does exactly one thing, this one has {found}\nfix: one of {', '.join(KINDS)}")
        if self.next is not None and given[0] in LAST:
            raise ValueError(f"'next' means nothing after {given[0]}\nfix: remove it")
        return self

    @property
    def kind(self) -> str:
        """Which of :data:`KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class Intent(FlowModel):
    """Something a caller may want; a list is short for ``phrases``."""

    phrases: Phrases

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"phrases": value} if isinstance(value, list) else value


class GlobalIntent(FlowModel):
    """What is understood at every question. ``phrases`` replace the built-in ones."""

    phrases: Phrases | None = None
    goto: StepName | None = None
    """Where to go; default: transfer to a person, or goodbye."""


class Globals(FlowModel):
    """The three that every caller may need."""

    human: GlobalIntent = GlobalIntent()
    repeat: GlobalIntent = GlobalIntent()
    goodbye: GlobalIntent = GlobalIntent()

    @field_validator("repeat")
    @classmethod
    def _stays(cls, value: GlobalIntent) -> GlobalIntent:
        if value.goto is not None:
            raise ValueError("'repeat' goes nowhere\nfix: remove its 'goto'")
        return value


class Limits(FlowModel):
    """When to ask again and when to give up."""

    no_input_ms: int = Field(default=6000, ge=1000, le=60_000)
    """Silence after a question until it is asked again."""
    max_no_input: int = Field(default=3, ge=1, le=10)
    """Silences in a row at one question until the agent gives up."""
    max_no_match: int = Field(default=3, ge=1, le=10)
    """Answers in a row that were not understood until it gives up."""
    give_up: Literal["human", "goodbye"] = "goodbye"
    """What giving up means."""
    low_confidence: float = Field(default=0.4, ge=0, le=1)
    """Below this, ``confirm: low_confidence`` reads the value back."""
    max_steps: int = Field(default=200, ge=10, le=10_000)
    """Steps without a question until the flow is taken for an endless loop and ended."""


class EnvVariable(FlowModel):
    """A start value from the environment of the server."""

    env: str = Field(min_length=1)
    default: Scalar = ""


class Texts(FlowModel):
    """The sentences that every agent needs; all may be replaced."""

    no_match: Text = parse_template("Sorry, I didn't catch that.")
    no_input: Text = parse_template("Sorry, I didn't hear you.")
    confirm: Text = parse_template("I heard {{ value }}. Is that right?")
    rejected: Text = parse_template("Sorry about that.")
    corrected: Text = parse_template("All right.")
    asr_down: Text = parse_template("I'm sorry, I can't hear you properly at the moment.")
    gave_up: Text = parse_template("I'm sorry, we don't seem to understand each other.")
    no_human: Text = parse_template(
        "I'm sorry, nobody is free to take your call right now. Please call again later. Goodbye."
    )
    goodbye: Text = parse_template("Thank you for calling. Goodbye.")
    failed: Text = parse_template("I'm sorry, something went wrong on our side. Please call again later. Goodbye.")


class FlowLanguage(FlowModel):
    """Another language in which the script may go on."""

    voice: str = ""
    texts: Texts | None = None
    """The standing sentences in it; default those of the script."""
    goto: StepName | None = None
    """Where to go when the recogniser hears the caller speak it; default: nowhere, only a step changes to it."""


class FlowFile(FlowModel):
    """The whole file."""

    name: str = Field(pattern=r"^[\w-]+$")
    """As the dialplan calls it."""
    language: str = "en-US"
    voice: str = ""
    """The synthesiser's name of a voice; empty for its default."""
    languages: dict[str, FlowLanguage] = Field(default_factory=dict)
    """Further ones by BCP 47 tag; the agent's own may be here too, for its ``goto``."""
    lexicon: str = ""
    """A file of pronunciations beside this one; its words go before the installation's."""
    greeting: Text | None = None
    """Said first."""
    greeting_interruptible: bool = True
    variables: dict[VariableName, EnvVariable | Scalar] = Field(default_factory=dict)
    recording: Literal["always", "after_consent", "never"] | None = None
    """Default: always, or after_consent where there is a consent step."""
    intents: dict[str, Intent] = Field(default_factory=dict)
    globals: Globals = Globals()
    limits: Limits = Limits()
    texts: Texts = Texts()
    steps: tuple[Step, ...] = Field(min_length=1)

    def texts_in(self, language: str) -> Texts:
        """The standing sentences in a language, or the script's own."""
        known = self.languages.get(language)
        return known.texts if known is not None and known.texts is not None else self.texts
