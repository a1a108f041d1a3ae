"""The examples of docs/tools.md are tools that can be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicegw.agents.tools.builtin import make_builtin_tool
from voicegw.agents.tools.caller_lookup import check_lookup
from voicegw.agents.tools.config import CallerLookupConfig, HttpToolConfig, McpToolConfig, ToolConfig
from voicegw.agents.tools.http_tool import make_http_tool
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool
from voicegw.dialplan.checked import StrictModel, load_yaml
from voicegw.runtime.http_client import HttpxClient
from voicegw.testing.manual_clock import ManualClock

PAGE = Path(__file__).resolve().parents[4] / "docs" / "tools.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
ENVIRONMENT = {"BOOKING_TOKEN": "b"}


class AgentFile(StrictModel):
    """As much of an agent's file as the examples have."""

    tools: tuple[ToolConfig, ...]


def make(config: object) -> Tool | None:
    """The tool of an entry; None for entries that are no tools by themselves."""
    match config:
        case HttpToolConfig():
            return make_http_tool(config, HttpxClient(), ENVIRONMENT, ManualClock())
        case McpToolConfig() | CallerLookupConfig():
            return None
    return make_builtin_tool(config)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", EXAMPLES, ids=["http", "mcp", "builtin"])
def test_an_example_can_be_loaded_and_made(text: str) -> None:
    file, _ = load_yaml(AgentFile, text, "docs/tools.md")
    registry = ToolRegistry(tool for entry in file.tools if (tool := make(entry)) is not None)
    for entry in file.tools:
        if isinstance(entry, CallerLookupConfig):
            check_lookup(entry, registry)


def test_the_page_describes_every_key_of_a_web_tool() -> None:
    page = PAGE.read_text()
    assert [name for name in HttpToolConfig.model_fields if f"`{name}`" not in page and name != "type"] == []
