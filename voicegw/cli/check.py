"""``voicegw check``: everything that is wrong with the files, with file, line and fix."""

from __future__ import annotations

import argparse

from voicegw.config import load_config
from voicegw.server import load_offline


def run(arguments: argparse.Namespace) -> int:
    """Load everything; errors end the command with status 1 and their text."""
    config = load_config(arguments.config)
    installation = load_offline(config)
    routes = len(installation.dialplan.routes)
    print(f"ok: {routes} routes in {config.paths.dialplan}")
    for name, agent in sorted(installation.agents.items()):
        print(f"ok: agent {name} ({agent.language}, {len(agent.phrases())} phrases to recognise)")
    return 0
