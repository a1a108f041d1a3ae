"""``voicegw trunk``: what trunks there are, whether their files are in order, and whether a trunk works."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.base.log import configure
from voicegw.cli.known_trunks import known_trunks
from voicegw.cli.trunk_call import TrunkTest
from voicegw.config import Config, load_config
from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_lint import lint, lint_together
from voicegw.server_trunks import read_trunk_files


def run(arguments: argparse.Namespace) -> int:
    """Carry out one action; 1 where something has to be put right."""
    config = load_config(arguments.config)
    match arguments.action:
        case "check":
            return _check(config, as_json=arguments.json)
        case "list":
            return _list(asyncio.run(known_trunks(config, os.environ)), as_json=arguments.json)
        case _:
            configure("error", json_lines=False)
            return _test(config, arguments)


def _list(trunks: list[Trunk], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([_row(trunk) for trunk in trunks], indent=2))
        return 0
    for trunk in trunks:
        row = _row(trunk)
        off = "" if trunk.enabled else " (switched off)"
        print(f"{trunk.name}{off}")
        for name in ("hosts", "transport", "registers", "carries", "numbers"):
            value = row[name]
            text = ", ".join(value) if isinstance(value, list) else str(value)
            if text:
                print(f"    {name:<10} {text}")
    if not trunks:
        print("there are no trunks; a file each goes into paths.trunks")
    return 0


def _row(trunk: Trunk) -> dict[str, object]:
    settings = trunk.settings
    return {
        "name": trunk.name,
        "enabled": trunk.enabled,
        "hosts": [f"{host}:{settings.port}" if settings.port else host for host in settings.hosts],
        "transport": settings.transport,
        "registers": f"{trunk.address_of_record} at {trunk.registrar}" if trunk.registrar else "",
        "carries": list(settings.carries),
        "numbers": list(settings.numbers),
    }


def _check(config: Config, *, as_json: bool) -> int:
    """Errors of the files end the command with their text; what is left is said here."""
    files = read_trunk_files(Path(config.paths.trunks))
    findings = [one for file in files.values() for one in lint(file.parsed, os.environ, str(file.path))]
    findings += [one for _, one in lint_together({name: file.parsed for name, file in files.items()})]
    findings += [Finding(Grade.OK, str(file.path), "ok", f"trunk {name}") for name, file in files.items()]
    if not files:
        findings = [Finding(Grade.OK, config.paths.trunks, "ok", "there are no files of trunks")]
    return _say(findings, as_json=as_json)


def _test(config: Config, arguments: argparse.Namespace) -> int:
    trunk = _chosen(asyncio.run(known_trunks(config, os.environ)), arguments.name)
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not arguments.json:
            _print(finding)

    async def work() -> None:
        await TrunkTest(config, trunk, tell).run(arguments.call or trunk.settings.test_number, arguments.seconds)

    asyncio.run(work())
    if arguments.json:
        return _say(findings, as_json=True)
    return _status(findings)


def _chosen(trunks: list[Trunk], name: str) -> Trunk:
    for trunk in trunks:
        if trunk.name == name:
            return trunk
    known = ", ".join(trunk.name for trunk in trunks) or "none"
    raise ConfigError(f"there is no trunk '{name}'", fix=f"one of: {known}")


def _say(findings: list[Finding], *, as_json: bool) -> int:
    if as_json:
        rows = [
            {"grade": one.grade.name.lower(), "step": one.step, "code": one.code, "text": one.text, "fix": one.fix}
            for one in findings
        ]
        print(json.dumps({"ok": not _status(findings), "findings": rows}, indent=2))
    else:
        for finding in findings:
            _print(finding)
    return _status(findings)


def _print(finding: Finding) -> None:
    for line in _lines(finding):
        print(line, flush=True)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.grade.value:>4}  {finding.step:<9} {finding.text}"
    if finding.fix:
        yield f"      -> {finding.fix}"


def _status(findings: list[Finding]) -> int:
    return int(any(finding.grade is Grade.FAIL for finding in findings))
