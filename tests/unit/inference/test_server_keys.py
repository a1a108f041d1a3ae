"""Keys of servers as they stand in the environment."""

from __future__ import annotations

import asyncio

import pytest

from voicegw.base.errors import ConfigError
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.inference.llm.openai_chat import OpenAiChat
from voicegw.inference.server_address import ServerAddress
from voicegw.inference.speech_server import make_client

ADDRESS = ServerAddress("http://127.0.0.1:1/v1", "KEY")


def spoken(key: str) -> str:
    """The header that a speech server gets."""
    client = make_client("speech", ADDRESS, {"KEY": key})
    asyncio.run(client.aclose())
    return client.headers["Authorization"]


def test_the_end_of_the_line_is_no_part_of_a_key() -> None:
    """Secrets are made by echo as often as not, and h11 refuses each request with the key in its message."""
    assert spoken("s3cret\n") == "Bearer s3cret"


@pytest.mark.parametrize("key", ["s3\ncret", "s3cret\u2013", "\n"])
def test_what_can_be_in_no_header_is_told_at_the_start_and_not_shown(key: str) -> None:
    config = ChatServerConfig("main", "http://127.0.0.1:1/v1", "m", api_key_env="KEY")

    async def chat() -> None:
        await OpenAiChat(config, environ={"KEY": key}).start()

    with pytest.raises(ConfigError, match="variable KEY") as speech:
        spoken(key)
    with pytest.raises(ConfigError, match="'main': the variable KEY") as model:
        asyncio.run(chat())
    assert "cret" not in f"{speech.value} {model.value}"
