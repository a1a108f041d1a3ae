"""A web service as a tool: send, retry where that is safe, and say truthfully what is known of the outcome."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from math import isinf
from urllib.parse import urlsplit

from voicegw.agents.tools.canonical import parse_arguments
from voicegw.agents.tools.config import HttpToolConfig
from voicegw.agents.tools.http_request import AddressError, HttpToolRequest, build_request
from voicegw.agents.tools.secrets import SecretHeader, auth_headers, env_text
from voicegw.agents.tools.tool import Tool, make_tool
from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.personal import Personal
from voicegw.ports.http import HttpClient, HttpResponse
from voicegw.ports.tools import ToolEffect, ToolRequest, ToolResult

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

FIRST_PAUSE_S = 0.2
"""Before the first retry; doubled for each further one. The caller is waiting, so it is short."""
MAX_ERROR_CHARS = 1000
"""Of the body of a refusal, for the model."""
_TRY_AGAIN = (429, 502, 503, 504)
_EFFECT_OF = {"GET": ToolEffect.NONE, "HEAD": ToolEffect.NONE, "PUT": ToolEffect.IDEMPOTENT}
_EFFECT_OF["DELETE"] = ToolEffect.IDEMPOTENT


class Verdict(Enum):
    """What one attempt tells of the effect."""

    DONE = auto()
    REFUSED = auto()
    """The service says no: nothing happened in this attempt."""
    UNCLEAR = auto()
    """No answer, or one that does not tell."""


class HttpTool:
    """A :class:`~voicegw.ports.tools.ToolRunner` for one tool; shared by all calls."""

    def __init__(
        self,
        config: HttpToolConfig,
        http: HttpClient,
        environment: Mapping[str, str],
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._base = env_text(config.base, environment) if config.base else ""
        self._secrets: tuple[SecretHeader, ...] = auth_headers(config.auth, environment)
        self._attempts = 1 + (config.retries if effect_of(config).repeatable else 0)

    async def run(self, request: ToolRequest) -> ToolResult:
        """See :class:`~voicegw.ports.tools.ToolRunner`."""
        arguments = parse_arguments(request.call.arguments_json)
        try:
            built = build_request(self._config, self._base, arguments, request)
        except AddressError as error:
            return ToolResult.failed(str(error))
        return await self._attempt(built, self._clock.monotonic() + request.timeout_s)

    async def _attempt(self, request: HttpToolRequest, deadline: float) -> ToolResult:
        """Up to the allowed number of times. A refusal proves nothing once an earlier attempt was unclear."""
        unclear = False
        attempt = 1
        while True:
            answer = await self._send(request, deadline)
            verdict = judge(answer)
            unclear |= verdict is Verdict.UNCLEAR
            pause_s = _pause_s(answer, attempt)
            is_last = attempt == self._attempts or self._clock.monotonic() + pause_s >= deadline
            if is_last or not _try_again(answer):
                return _result(answer, Verdict.UNCLEAR if unclear and verdict is Verdict.REFUSED else verdict)
            await self._sleep(pause_s)
            attempt += 1

    async def _send(self, request: HttpToolRequest, deadline: float) -> HttpResponse | str:
        """The answer, or why there is none."""
        headers = {**request.headers, **{secret.name: secret.value for secret in self._secrets}}
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            return "no time left"
        try:
            return await self._http.request(
                request.method, request.url, headers=headers, json_body=request.body, timeout_s=left_s
            )
        except ProviderError as error:
            # The address holds what the model knows of the caller, and the model might read it out: neither the
            # log nor the model gets it.
            reason = str(error).replace(request.url, urlsplit(request.url).netloc)
            log.warning(
                "a tool's service did not answer", extra={"tool": self._config.name, "reason": Personal(reason)}
            )
            return "the service did not answer"


def make_http_tool(
    config: HttpToolConfig,
    http: HttpClient,
    environment: Mapping[str, str],
    clock: Clock,
    sleep: Sleep = asyncio.sleep,
) -> Tool:
    """The tool of a configuration; raises ConfigError where a variable of the environment is missing."""
    return make_tool(
        config.name,
        config.description,
        config.parameters,
        HttpTool(config, http, environment, clock, sleep),
        effect=effect_of(config),
        result=config.result,
        timeout_s=config.timeout_s,
        say=config.say,
        offered=config.offered,
        sensitive=config.sensitive,
    )


def effect_of(config: HttpToolConfig) -> ToolEffect:
    """As configured, or by the method (RFC 9110 §9.2.1, §9.2.2)."""
    return config.effect or _EFFECT_OF.get(config.method, ToolEffect.ONCE)


def judge(answer: HttpResponse | str) -> Verdict:
    """What an answer tells.

    A redirect is not followed, and after a POST it often means that the work is done (303); a 408 or 5xx may come
    from a proxy behind which the service went on.
    """
    if isinstance(answer, str):
        return Verdict.UNCLEAR
    if 200 <= answer.status < 300:
        return Verdict.DONE
    return Verdict.REFUSED if 400 <= answer.status < 500 and answer.status != 408 else Verdict.UNCLEAR


def _try_again(answer: HttpResponse | str) -> bool:
    return isinstance(answer, str) or answer.status in _TRY_AGAIN


def _pause_s(answer: HttpResponse | str, attempt: int) -> float:
    """Seconds until the next attempt: as the service asks (RFC 9110 §10.2.3, seconds only), or growing."""
    if not isinstance(answer, str):
        wanted = next((text for name, text in answer.headers.items() if name.lower() == "retry-after"), "")
        if wanted.isascii() and wanted.isdigit():
            return float(wanted)
    return FIRST_PAUSE_S * 2.0 ** (attempt - 1)


def _result(answer: HttpResponse | str, verdict: Verdict) -> ToolResult:
    if isinstance(answer, str):
        return ToolResult.unknown(answer)
    if verdict is Verdict.DONE:
        return ToolResult.done(_content(answer))
    reason = f"HTTP status {answer.status}"
    if text := answer.body.strip()[:MAX_ERROR_CHARS]:
        reason += f": {text}"
    return ToolResult.failed(reason) if verdict is Verdict.REFUSED else ToolResult.unknown(reason)


def _content(answer: HttpResponse) -> object:
    """The JSON of an answer, or its text, or its status where it has neither."""
    if not answer.body.strip():
        return {"status": answer.status}
    try:
        return json.loads(answer.body, parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {"text": answer.body}


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):  # 1e999 is JSON, and more than a number of ours can hold
        raise ValueError(f"{text} is too large")
    return number


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not JSON")
