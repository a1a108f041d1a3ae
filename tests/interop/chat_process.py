"""The chat server in a process of its own, for tests inside a namespace: answers every request with the same words.

Arguments: port, words. Prints each request, a JSON object a line.
"""

from __future__ import annotations

import asyncio
import sys

from tests.interop.chat import words
from voicegw.testing.faulty_llm_server import FaultyLlmServer, Script


async def main() -> None:
    server = FaultyLlmServer(Script(words(sys.argv[2])), port=int(sys.argv[1]))
    await server.start()
    seen = 0
    while True:
        await server.asked.acquire()
        for request in server.requests[seen:]:
            print(request.decode(), flush=True)
            seen += 1


if __name__ == "__main__":
    asyncio.run(main())
