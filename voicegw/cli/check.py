"""``voicegw check``: everything that is wrong with the files, with file, line and fix."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from voicegw.config import load_config
from voicegw.gateway.sip_files import check_files
from voicegw.gateway.trunk_advice import Grade
from voicegw.gateway.trunk_lint import lint, lint_together
from voicegw.recording.seal_keys import read_key_ring, read_public_keys
from voicegw.server import load_offline
from voicegw.server_trunks import read_trunk_files


def run(arguments: argparse.Namespace) -> int:
    """Load everything; errors end the command with status 1 and their text."""
    config = load_config(arguments.config)
    check_files(config.sip)
    read_public_keys(config.recording.seal_to)
    read_key_ring(config.recording.unseal_with)
    trunks = read_trunk_files(Path(config.paths.trunks))
    installation = load_offline(config)
    routes = len(installation.dialplan.routes)
    print(f"ok: {routes} routes in {config.paths.dialplan}")
    for name, agent in sorted(installation.agents.items()):
        print(f"ok: agent {name} ({agent.language}, {len(agent.phrases())} phrases to recognise)")
    together = list(lint_together({name: file.parsed for name, file in trunks.items()}))
    for name, file in trunks.items():
        findings = [one for one in lint(file.parsed, os.environ, name) if one.grade is not Grade.OK]
        findings += [finding for whose, finding in together if whose == name]
        for finding in findings:
            print(f"look: trunk {name}: {finding.text}\n    -> {finding.fix}")
        if not findings:
            print(f"ok: trunk {name}")
    return 0
