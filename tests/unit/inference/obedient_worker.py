"""A worker for the tests of the pool: echoes the text as audio, or does what the text says."""

from __future__ import annotations

import os

from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.inference.messages import AudioMade, Command, StreamEnded, Synthesize, WorkerReady
from voicegw.inference.worker import Engine, WorkerChannel, main


class Obedient:
    """Says "pid" with its process id, keeps quiet at "silence", echoes anything else."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel

    def handle(self, command: Command) -> None:
        if not isinstance(command, Synthesize) or command.text == "silence":
            return
        said = str(os.getpid()) if command.text == "pid" else command.text
        self._channel.send(AudioMade(command.stream_id, said.encode()))
        self._channel.send(StreamEnded(command.stream_id))
        self._channel.ended(command.stream_id)

    def forget(self, stream_id: StreamId) -> None:
        pass


def load(channel: WorkerChannel, arguments: list[str]) -> tuple[Engine, WorkerReady]:
    if arguments == ["refuse"]:
        raise ProviderError("obedient", "the engine is missing; install it", retryable=False)
    return Obedient(channel), WorkerReady(("voice",), ("en-US",))


if __name__ == "__main__":
    main(load)
