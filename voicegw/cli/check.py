"""``voicegw check``: everything that is wrong with the files, with file, line and fix."""

from __future__ import annotations

import argparse
from pathlib import Path

from voicegw.config import load_config
from voicegw.recording.seal_keys import read_key_ring, read_public_keys
from voicegw.server import load_offline
from voicegw.server_trunks import read_trunk_files


def run(arguments: argparse.Namespace) -> int:
    """Load everything; errors end the command with status 1 and their text."""
    config = load_config(arguments.config)
    read_public_keys(config.recording.seal_to)
    read_key_ring(config.recording.unseal_with)
    trunks = read_trunk_files(Path(config.paths.trunks))
    installation = load_offline(config)
    routes = len(installation.dialplan.routes)
    print(f"ok: {routes} routes in {config.paths.dialplan}")
    for name, agent in sorted(installation.agents.items()):
        print(f"ok: agent {name} ({agent.language}, {len(agent.phrases())} phrases to recognise)")
    for name in trunks:
        print(f"ok: trunk {name}")
    return 0
