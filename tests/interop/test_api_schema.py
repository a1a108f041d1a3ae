"""schemathesis reads our OpenAPI document and looks for requests whose answer the document does not promise."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.interop.api_server import ApiServer
from tests.unit.storage.sample_call import sample_call
from voicegw.base.ids import CallId

pytestmark = pytest.mark.interop

EXAMPLES = 2
"""Requests for each route, one about what is not there and one about what is: more would take a minute for every
change, and these are always the same."""
OF_ANSWERS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OF_ROUTES = [unsupported_method, ignored_auth]
"""Each sends requests of its own, whose answers do not depend on what was asked: once a route is enough."""
AGENT = "name: reception\nsteps:\n  - hangup: Goodbye.\n"
KNOWN = {"name": "reception", "call_id": "c1", "webhook_id": "", "delivery_id": 1, "version": 1, "user_id": ""}
"""What is there; every second request is about it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server with one of everything."""
    with ApiServer(tmp_path_factory.mktemp("schema"), calls=3) as server:
        client, new = server.client, {"If-None-Match": "*"}
        client.put("/v1/agents/reception", json={"text": AGENT}, headers=new).raise_for_status()
        client.post("/v1/agents/reception/publish", json={"version": 1}, headers={"If-Match": "*"})
        plan = "routes:\n  - name: all\n    agent: reception\n"
        client.put("/v1/dialplans/reception", json={"text": plan}, headers=new).raise_for_status()
        client.put("/v1/trunks/reception", json={"settings": {"host": "x"}}, headers=new).raise_for_status()
        client.put("/v1/teams/reception", json={}, headers=new).raise_for_status()
        hook = client.post("/v1/webhooks", json={"name": "crm", "url": "http://127.0.0.1:9/"}).json()
        user = client.post("/v1/users", json={"name": "grace", "roles": ["supervisor"]}).json()
        KNOWN.update(webhook_id=hook["id"], user_id=user["user"]["id"])
        for entry in sample_call(1)[:4]:
            server.service.publish(CallId("c1"), entry)
        yield server


def _operations(server: ApiServer) -> list[APIOperation[Any, Any, Any, Any]]:
    """All that the document describes, but for the stream that never ends."""
    schema = schemathesis.openapi.from_url(f"{server.url}/v1/openapi.json").exclude(path="/v1/live/events")
    return [result.ok() for result in schema.get_all_operations()]


def _try(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, server: ApiServer) -> None:
    """Requests that fit the document, or that do not; every second one is about something that is there."""
    turns = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_promised(case: Case) -> None:
        turn = next(turns)
        if turn % 2:
            case.path_parameters.update({name: KNOWN[name] for name in case.path_parameters if name in KNOWN})
        is_chosen = turn == bool(case.path_parameters)  # about something that is there, if there is a choice
        checks = [*OF_ANSWERS, *OF_ROUTES] if is_chosen else OF_ANSWERS
        case.call_and_validate(headers=server.headers, checks=checks)

    answers_as_promised()


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_document_promises(server: ApiServer, mode: GenerationMode) -> None:
    failures: list[str] = []
    for operation in _operations(server):
        try:
            _try(operation, mode, server)
        except Unsatisfiable:  # nothing that could be wrong with such a request
            continue
        except (FailureGroup, Failure) as failure:
            failures.append(f"{operation.label}: {failure}")
    assert not failures, "\n\n".join(failures)


def test_the_document_is_complete(server: ApiServer) -> None:
    document = server.client.get("/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"] and operation.get("description"), where
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    assert list(answer["content"]) == ["application/problem+json"], f"{where} {status}"
            content = operation.get("requestBody", {}).get("content", {})
            for media in content.values():
                model = media["schema"].get("$ref", "").rpartition("/")[2]
                assert "example" in media or model in document["components"]["schemas"], where
