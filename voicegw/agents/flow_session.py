"""One call of a scripted agent.

All decisions of a reply up to its next wait (a question, a web service, the end) are made and kept before its first
action is handed out. So a reply may be closed at any moment, because the caller talks over it, and the next turn
still finds the session at a definite place.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from voicegw.agents.actions import AgentAction, CallWebhook, Say, WebhookReturned
from voicegw.agents.agent import SIGNALLED, AgentContext, CallerTurn, CallFacts, TurnKind
from voicegw.agents.entities.words import tokens
from voicegw.agents.flow import Flow
from voicegw.agents.flow_answers import Answers
from voicegw.agents.flow_llm import LlmStepKit
from voicegw.agents.flow_model import WebhookStep
from voicegw.agents.flow_models import NO_KITS, FlowModels
from voicegw.agents.flow_state import FlowState
from voicegw.agents.flow_walk import FlowWalker
from voicegw.agents.flow_webhook import WebhookRequest, WebhookResult, build_request, send_request
from voicegw.agents.given import told
from voicegw.agents.template import Variable
from voicegw.ports.http import HttpClient

_INTERRUPTED = WebhookResult(0, "the reply was interrupted while the answer was awaited")


class FlowSession:
    """See :class:`voicegw.agents.agent.AgentSession`."""

    def __init__(
        self, flow: Flow, http: HttpClient, facts: CallFacts, kits: Mapping[int, LlmStepKit] = NO_KITS
    ) -> None:
        variables: dict[str, Variable] = dict(flow.start_values) | told(flow.script, facts.known)
        variables |= dict.fromkeys(SIGNALLED, "") | dict(facts.signalled)
        variables |= {"called": facts.called, "calling": facts.calling, "call_id": str(facts.call_id)}
        self._walker = FlowWalker(flow, FlowState(variables, early=facts.early))
        self._answers = Answers(self._walker)
        self._http = http
        self._models = FlowModels(self._walker, facts, kits)
        self._done: dict[str, WebhookResult] = {}
        self._reusable: dict[str, WebhookResult] = {}

    @property
    def speculative(self) -> bool:
        """A script answers at once, and asks again where the recogniser is not sure: it needs the whole turn.
        A model that leads a step of it does not."""
        return self._models.run is not None and self._models.run.speculative

    @property
    def tools_version(self) -> int:
        """A script is as it was read; the tools of a model's step may change."""
        return self._models.run.tools_version if self._models.run is not None else 0

    @property
    def collected(self) -> Mapping[str, str]:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        return dict(self._walker.state.collected)

    def heard(self, text: str) -> None:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        state = self._walker.state
        state.heard_all = len(tokens(text)) >= sum(len(tokens(say.text)) for say in state.content)
        self._models.heard(text)

    def checkpoint(self) -> object:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        self._done = {}
        return self._walker.state.copy(), self._models.checkpoint()

    def restore(self, checkpoint: object) -> None:
        """See :class:`voicegw.agents.agent.AgentSession`.

        What a web service was told cannot be forgotten: where the repeated turn makes the same request again, the
        answer that came the first time is used instead.
        """
        match checkpoint:
            case (FlowState() as state, models):
                self._walker.state = state.copy()
                self._models.restore(models)
                self._reusable |= self._done

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        walker, models = self._walker, self._models
        walker.out = []
        models.new_reply()
        self._refresh(turn, context)
        if models.run is None:
            if not self._answers.change_language(turn.language):
                self._answers.take(turn, context.now)
        elif wish := self._answers.wish_to_leave(turn):
            models.leave()
            walker.leave_by(wish)
        else:
            async for action in models.go_on(turn, context):
                yield action
            if models.waiting:
                return
        while (step := walker.advance()) is not None:
            if step.webhook is not None:
                request = self._before_webhook()
                for action in self._drain():
                    # Until the answer is known there is no question that an interruption could answer.
                    yield replace(action, interruptible=False) if isinstance(action, Say) else action
                await self._webhook(request, context)
                continue
            for action in self._drain():
                yield action
            async for action in models.begin(turn, context):
                yield action
            if models.waiting:
                return
        for action in self._drain():
            yield action

    def _refresh(self, turn: CallerTurn, context: AgentContext) -> None:
        """The variables that are always there."""
        variables = self._walker.state.variables
        variables["today"] = context.now.date()
        variables["now"] = context.now.time().replace(second=0, microsecond=0)
        if turn.kind is TurnKind.SPEECH:
            variables["heard"] = turn.text

    def _step(self) -> tuple[str, WebhookStep]:
        """The webhook step that the walker stands at, and its name for the log."""
        position = self._walker.state.position
        step = self._walker.flow.step(position)
        assert step.webhook is not None
        return step.id or f"step {position + 1}", step.webhook

    def _before_webhook(self) -> WebhookRequest:
        label, webhook = self._step()
        request = build_request(webhook, self._walker.state.variables)
        if webhook.say is not None:
            self._walker.out.append(Say(self._walker.text(webhook.say)))
        self._walker.out.append(CallWebhook(label, request.method, request.url))
        return request

    async def _webhook(self, request: WebhookRequest, context: AgentContext) -> None:
        """Ask the web service, save what it says, and go on from there."""
        label, webhook = self._step()
        key = json.dumps([label, request.method, request.url, request.body], default=str)
        result = self._reusable.pop(key, None)
        if result is None:
            if request.method != "GET":
                await context.committed()
                self._reusable[key] = _INTERRUPTED
            result = await send_request(webhook, request, self._http)
            self._reusable.pop(key, None)
        self._done[key] = result
        walker = self._walker
        walker.state.variables["http_status"] = result.status
        walker.state.variables |= result.values
        walker.out.append(WebhookReturned(label, result.status, result.error))
        walker.state.position = walker.flow.index[webhook.on_error] if result.error else walker.after()

    def _drain(self) -> list[AgentAction]:
        actions, self._walker.out = self._walker.out, []
        self._models.note(actions)
        return actions
