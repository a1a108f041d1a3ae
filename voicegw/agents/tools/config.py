"""Tools as an agent's file declares them. ``docs/tools.md`` is the reference with examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, PlainValidator, model_validator

from voicegw.agents.template import Template, parse_template
from voicegw.agents.tools.approval import DEFAULT_S
from voicegw.agents.tools.schema import Schema, SchemaError
from voicegw.dialplan.checked import StrictModel, did_you_mean
from voicegw.ports.tools import ToolEffect

FACTS = ("call_id", "calling", "called")
"""What a template knows of the call itself; no argument can take these names."""


def _template(value: object) -> Template:
    if isinstance(value, Template):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be text")
    return parse_template(str(value))


def _schema(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        Schema(value)
    except SchemaError as error:
        raise ValueError(f"is not a JSON Schema: {error}") from None
    return value


def _object_schema(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if value.get("type") != "object":
        raise ValueError("arguments are an object\nfix: add 'type: object' and 'properties:'")
    properties = value.get("properties", {})
    if taken := [name for name in FACTS if isinstance(properties, dict) and name in properties]:
        raise ValueError(f"'{taken[0]}' is a fact of the call, not an argument\nfix: call it something else")
    return _schema(value)


def _header_name(value: str) -> str:
    if not value or any(not (char.isascii() and (char.isalnum() or char in "-_")) for char in value):
        raise ValueError(f"'{value}' is not the name of a header\nfix: letters, digits and - only")
    return value


def _body(value: JsonValue) -> JsonValue:
    for text in body_texts(value):
        parse_template(text)
    return value


def body_texts(value: JsonValue) -> Iterator[str]:
    """All texts in a body, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from body_texts(item)


Text = Annotated[Template, PlainValidator(_template)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
JsonSchema = Annotated[dict[str, JsonValue], AfterValidator(_schema)]
ObjectSchema = Annotated[dict[str, JsonValue], AfterValidator(_object_schema)]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Spoken = Annotated[str, Field(max_length=300)]
NO_ARGUMENTS: dict[str, JsonValue] = {"type": "object", "properties": {}, "additionalProperties": False}


class ToolModel(StrictModel):
    """Base: strict, and holds parsed texts."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


class Approved(ToolModel):
    """What a tool may be made to wait for."""

    approval: Literal["none", "human"] = "none"
    """``human``: a supervisor must approve each run; the caller is kept company meanwhile."""
    approval_s: float = Field(default=DEFAULT_S, gt=0, le=300)
    """Seconds; without an answer by then it is refused, and the model is told so."""

    @property
    def asks_s(self) -> float:
        """How long a person is asked; 0: nobody is."""
        return self.approval_s if self.approval == "human" else 0.0


class EnvText(ToolModel):
    """A text from the server's environment, so that no secret is in a file."""

    env: str
    """The name of the variable."""
    default: str | None = None
    """What holds without it; without a default a missing variable is an error. None for secrets."""


class BasicAuth(ToolModel):
    """RFC 7617."""

    user: str
    """As it is; it is no secret."""
    password: EnvText


class HeaderAuth(ToolModel):
    """A key in a header of its own."""

    name: HeaderName
    """For example ``X-Api-Key``."""
    value: EnvText


class Auth(ToolModel):
    """How a server knows us: exactly one of these."""

    bearer: EnvText | None = None
    """``Authorization: Bearer …`` (RFC 6750)."""
    basic: BasicAuth | None = None
    """``Authorization: Basic …``."""
    header: HeaderAuth | None = None
    """Any other header."""

    @model_validator(mode="after")
    def _one(self) -> Auth:
        if sum(kind is not None for kind in (self.bearer, self.basic, self.header)) != 1:
            raise ValueError("needs exactly one of bearer, basic, header")
        return self


class HttpToolConfig(Approved):
    """One request to a web service."""

    type: Literal["http"]
    name: ToolName
    """As the model calls it."""
    description: str = Field(min_length=1)
    """What it does and when to use it, for the model."""
    parameters: ObjectSchema = NO_ARGUMENTS
    """JSON Schema of the arguments. Say ``additionalProperties: false``, and models invent fewer."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    base: EnvText | None = None
    """What comes before ``url``, where it differs from site to site."""
    url: Text
    """With ``{{ argument }}``, percent-encoded; also ``{{ calling }}``, ``{{ called }}``, ``{{ call_id }}``. An
    argument that is missing or empty, or that would climb out of its place (``..``), fails the call."""
    query: dict[str, Text] = Field(default_factory=dict)
    """Parameters behind the ``?``; left out where all their arguments are missing."""
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    """More headers. ``Idempotency-Key`` is always sent."""
    body: Annotated[JsonValue, AfterValidator(_body)] = None
    """JSON with ``{{ argument }}`` in it; a bare hole keeps its type. Default for POST, PUT and PATCH: all
    arguments that are used nowhere else."""
    auth: Auth | None = None
    effect: ToolEffect | None = None
    """``none``: only reads. ``idempotent``: twice with the same Idempotency-Key is the same as once, so it may be
    retried. ``once``: never twice. Default by RFC 9110 §9.2: GET and HEAD none, PUT and DELETE idempotent, others
    once."""
    timeout_s: float = Field(default=8.0, gt=0, le=60)
    """Seconds for all attempts together; the caller is waiting."""
    retries: int = Field(default=2, ge=0, le=5)
    """Further attempts where ``effect`` allows them and the service has no answer, or 429, 502, 503, 504."""
    result: JsonSchema | None = None
    """JSON Schema of the answer; an answer that does not fit is withheld from the model."""
    say: Spoken = ""
    """Said while the caller waits."""
    offered: bool = True
    """Whether the model may use it; no: only for a caller look-up."""
    sensitive: tuple[str, ...] = ()
    """Arguments that the ledger of tools must not keep; card numbers it never keeps."""

    @model_validator(mode="after")
    def _known_holes(self) -> HttpToolConfig:
        properties = self.parameters.get("properties", {})
        arguments = set(properties) if isinstance(properties, dict) else set()
        for name in sorted(set(self.sensitive) - arguments):
            raise ValueError(f"'{name}' is not an argument\nfix: {did_you_mean(name, arguments)}")
        known = {*FACTS, *arguments}
        texts = [
            self.url,
            *self.query.values(),
            *self.headers.values(),
            *map(parse_template, body_texts(self.body)),
        ]
        for name in sorted(frozenset().union(*(text.names for text in texts)) - known):
            raise ValueError(f"'{name}' is not an argument\nfix: {did_you_mean(name, known)}")
        return self

    @model_validator(mode="after")
    def _fixed_host(self) -> HttpToolConfig:
        start = self.url.parts[0] if self.url.parts else ""
        text = start if isinstance(start, str) else ""
        if self.base is not None:
            if not text.startswith("/"):
                raise ValueError("'url' must begin with / where 'base' is given")
        elif not text.startswith(("http://", "https://")) or "/" not in text.partition("://")[2]:
            raise ValueError("'url' must begin with http(s)://HOST/ without holes\nfix: use 'base: {env: NAME}'")
        return self


class McpToolConfig(Approved):
    """All tools of one MCP server, or some: a program (``command``) or a web address (``url``)."""

    type: Literal["mcp"]
    name: ToolName
    """Of the server, for logs."""
    command: tuple[str, ...] = ()
    """Program and arguments, spoken to over its standard input and output."""
    env: dict[str, EnvText] = Field(default_factory=dict)
    """Its environment; of ours it gets PATH, HOME and the like only."""
    url: str = ""
    """Address of a server that speaks streamable HTTP."""
    auth: Auth | None = None
    """For ``url`` only."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,20}$")] = ""
    """Put before each tool's name, to keep those of two servers apart."""
    allow: tuple[str, ...] | None = None
    """The tools that the model may use; default: all of them."""
    effects: dict[str, ToolEffect] = Field(default_factory=dict)
    """What we know of single tools."""
    trust_annotations: bool = False
    """Whether ``readOnlyHint`` and ``idempotentHint`` of the server count; MCP says to trust a trusted server's
    only. Without it every tool that is not in ``effects`` is ``once``."""
    timeout_s: float = Field(default=8.0, gt=0, le=60)
    """Seconds for one call."""
    start_timeout_s: float = Field(default=20.0, gt=0, le=120)
    """Seconds until a server that was started must have told its tools."""
    say: Spoken = ""
    """Said while the caller waits for any of its tools."""

    @model_validator(mode="after")
    def _one_way(self) -> McpToolConfig:
        if bool(self.command) == bool(self.url):
            raise ValueError("needs exactly one of command, url")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("'url' must begin with http:// or https://")
        if self.auth is not None and not self.url:
            raise ValueError("'auth' is for 'url'\nfix: give a program its secrets by 'env'")
        return self


class HangUpConfig(Approved):
    """The model may end the call; what it said before is heard first."""

    type: Literal["builtin"]
    builtin: Literal["hang_up"]
    name: ToolName = "hang_up"
    description: str = "End the call. Say goodbye first, and only when the caller has nothing left to ask."


class TransferTarget(ToolModel):
    """One place to transfer to."""

    target: str = Field(min_length=1)
    """A SIP URI, or a name that the dialplan knows. The model never sees it."""
    description: str = ""
    """When to choose it, for the model."""


class TransferConfig(Approved):
    """The model may hand the caller over, to these targets and to no others."""

    type: Literal["builtin"]
    builtin: Literal["transfer"]
    name: ToolName = "transfer"
    description: str = "Hand the caller over to a person. Tell the caller first."
    targets: dict[ToolName, TransferTarget] = Field(min_length=1)
    """The model's word for it → where that is."""
    apology: str = "I am sorry, nobody can take your call at the moment. Goodbye."
    """Said where it cannot be done."""


class SendDtmfConfig(Approved):
    """The model may press keys, to get through the menu of a far end."""

    type: Literal["builtin"]
    builtin: Literal["send_dtmf"]
    name: ToolName = "send_dtmf"
    description: str = "Press keys of the telephone: digits, * and #."
    max_digits: int = Field(default=20, ge=1, le=50)
    """More in one go are refused."""


class CallerLookupConfig(ToolModel):
    """Find out who is calling before the call is answered. Uses another tool, which must only read."""

    type: Literal["builtin"]
    builtin: Literal["caller_lookup"]
    tool: ToolName
    """The tool that knows callers."""
    arguments: dict[str, Text]
    """Its arguments, from ``{{ calling }}``, ``{{ called }}`` and ``{{ call_id }}``."""
    save: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(default_factory=dict)
    """variable → path in the answer: ``customer.name``."""
    timeout_s: float = Field(default=2.0, gt=0, le=10)
    """Seconds; the caller hears it ring meanwhile. Then the call is answered without."""


BuiltinToolConfig: TypeAlias = Annotated[
    HangUpConfig | TransferConfig | SendDtmfConfig | CallerLookupConfig, Field(discriminator="builtin")
]
ToolConfig: TypeAlias = Annotated[HttpToolConfig | McpToolConfig | BuiltinToolConfig, Field(discriminator="type")]
"""One entry of an agent's ``tools:``."""
