"""The tools that act on the call itself."""

from __future__ import annotations

from voicegw.agents.actions import AgentAction, Hangup, SendDtmf, Transfer
from voicegw.agents.tools.canonical import JsonObject
from voicegw.agents.tools.config import NO_ARGUMENTS, HangUpConfig, SendDtmfConfig, TransferConfig
from voicegw.agents.tools.tool import Action, Tool, make_tool

_KEYS = "0123456789*#ABCD"


def make_builtin_tool(config: HangUpConfig | TransferConfig | SendDtmfConfig) -> Tool:
    """The tool of a configuration."""
    match config:
        case HangUpConfig():
            return make_tool(config.name, config.description, NO_ARGUMENTS, Action(lambda _arguments: Hangup()))
        case TransferConfig():
            return _transfer(config)
        case SendDtmfConfig():
            return _send_dtmf(config)


def _transfer(config: TransferConfig) -> Tool:
    def make(arguments: JsonObject) -> AgentAction:
        return Transfer(config.targets[str(arguments["to"])].target, config.apology)

    lines = [f"{name}: {target.description}" for name, target in config.targets.items() if target.description]
    schema = {
        "type": "object",
        "properties": {"to": {"type": "string", "enum": list(config.targets), "description": "\n".join(lines)}},
        "required": ["to"],
        "additionalProperties": False,
    }
    return make_tool(config.name, config.description, schema, Action(make))


def _send_dtmf(config: SendDtmfConfig) -> Tool:
    def make(arguments: JsonObject) -> AgentAction:
        keys = "".join(str(arguments["keys"]).upper().split())
        if not keys or len(keys) > config.max_digits or set(keys) - set(_KEYS):
            raise ValueError(f"'keys' must be 1 to {config.max_digits} of {_KEYS}")
        return SendDtmf(keys)

    schema = {
        "type": "object",
        "properties": {"keys": {"type": "string", "description": "Digits, * and #, in the order to press them."}},
        "required": ["keys"],
        "additionalProperties": False,
    }
    return make_tool(config.name, config.description, schema, Action(make))
