"""What an MCP server's answer says of the outcome."""

from __future__ import annotations

from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, REQUEST_TIMEOUT, CallToolResult

from voicegw.ports.tools import ToolResult

_REFUSALS = (INVALID_PARAMS, METHOD_NOT_FOUND)
"""JSON-RPC 2.0 §5.1: the request was not carried out."""
MAX_ERROR_CHARS = 1000


def from_result(answer: CallToolResult) -> ToolResult:
    """A tool that reports an error has failed: the server that ran it says so itself."""
    if answer.is_error:
        return ToolResult.failed(_text(answer)[:MAX_ERROR_CHARS] or "the tool failed")
    if answer.structured_content is not None:
        return ToolResult.done(answer.structured_content)
    return ToolResult.done({"text": _text(answer)})


def from_error(code: int, message: str, timeout_s: float) -> ToolResult:
    """A protocol error; only a refusal is certain to have had no effect."""
    if code in _REFUSALS:
        return ToolResult.failed(message[:MAX_ERROR_CHARS])
    if code == REQUEST_TIMEOUT:
        return ToolResult.unknown(f"no result within {timeout_s:g} s")
    if code == CONNECTION_CLOSED:
        return ToolResult.unknown("the server of the tool died before the result came")
    return ToolResult.unknown(message[:MAX_ERROR_CHARS])


def _text(answer: CallToolResult) -> str:
    """The texts; a caller cannot be shown pictures, so of other content only the kind is told."""
    return "\n".join(part.text if part.type == "text" else f"[{part.type}]" for part in answer.content)
