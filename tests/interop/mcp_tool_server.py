"""An MCP server made with the protocol's own server package: run as a program, over stdio or HTTP.

``mcp_tool_server.py JOURNAL [PORT]``: each run of a tool with an effect is a line in the file JOURNAL.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel

JOURNAL = Path(sys.argv[1])
server = MCPServer("shop")


class Order(BaseModel):
    number: str
    status: str


def note(line: str) -> None:
    with JOURNAL.open("a") as file:
        file.write(line + "\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def find_order(number: str) -> Order:
    """Find an order by its number."""
    return Order(number=number, status="shipped")


@server.tool()
def book(day: str, ctx: Context) -> str:
    """Book a table."""
    meta = ctx.request_context.meta or {}
    note(f"book {day} {dict(meta).get('voicegw/idempotency-key')}")
    return f"booked for {day}"


@server.tool()
def broken() -> str:
    """Always fails."""
    raise ValueError("no table left")


@server.tool()
async def hang() -> str:
    """Does something and never answers."""
    note("hang")
    await anyio.sleep_forever()
    return ""


@server.tool()
async def open_garden(ctx: Context) -> str:
    """From now on tables in the garden can be booked."""
    server.add_tool(book_garden)
    await ctx.notify_tools_changed()
    return "open"


def book_garden(day: str) -> str:
    """Book a table in the garden."""
    note(f"garden {day}")
    return "booked"


@server.tool()
def die() -> str:
    """Does something and kills its server."""
    note("die")
    os._exit(7)


if __name__ == "__main__":
    note(f"started {os.getpid()}")
    if len(sys.argv) > 2:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
