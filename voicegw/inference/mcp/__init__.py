"""Tools from MCP servers, through the protocol's own client package (extra ``mcp``)."""
