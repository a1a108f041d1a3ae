"""The chat server in a process of its own, for tests inside a namespace: answers every request with the same words.

Arguments: port, words, and keys that the second answer presses, the one after that of the warming up. Prints each
request, a JSON object a line.
"""

from __future__ import annotations

import asyncio
import os
import sys

from tests.interop.chat import words
from voicegw.testing.faulty_llm_server import FaultyLlmServer, Script, ScriptedTool


async def main() -> None:
    said = Script(words(sys.argv[2]))
    pressed = [Script((), tools=(ScriptedTool("send_dtmf", f'{{"keys": "{keys}"}}'),)) for keys in sys.argv[3:]]
    server = FaultyLlmServer(said, *pressed, said, port=int(sys.argv[1]))
    await server.start()
    seen = 0
    while True:
        await server.asked.acquire()
        for request in server.requests[seen:]:
            os.write(1, request + b"\n")  # at once, so that nobody reads a part of it
            seen += 1


if __name__ == "__main__":
    asyncio.run(main())
