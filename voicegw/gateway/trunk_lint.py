"""What is wrong with a trunk's file beyond its form: what would make it fail, or cost money, once it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_settings import TrunkFile


def lint(file: TrunkFile, environ: Mapping[str, str], place: str) -> Iterator[Finding]:
    """Everything that is worth a word; nothing for a trunk that is switched off."""
    if not file.enabled:
        return
    for finding in (*_password(file, environ), *_ways(file), *_tls(file)):
        grade, code, text, fix = finding
        yield Finding(grade, place, code, text, fix)


def lint_together(files: Mapping[str, TrunkFile]) -> Iterator[tuple[str, Finding]]:
    """What is wrong with trunks beside one another, each with the name that it is said of; files by name."""
    first: dict[str, str] = {}
    for name, file in files.items():
        for host in file.hosts if file.enabled and not file.numbers else ():
            other = first.setdefault(host.lower(), name)
            if other != name:
                text = f"calls from {host} are those of trunk {other}, which has the same address"
                fix = "remove one, or say 'enabled: false' in it, or tell them apart by 'numbers:'"
                yield name, Finding(Grade.WARN, name, "same_address", text, fix)


_Found = Iterator[tuple[Grade, str, str, str]]


def _password(file: TrunkFile, environ: Mapping[str, str]) -> _Found:
    if file.password_env and not environ.get(file.password_env):
        fix = f"export {file.password_env}=... before the server starts"
        yield Grade.FAIL, "password_missing", f"password_env: {file.password_env} is not set here", fix
    if (file.register_there or file.challenge_calls) and not file.password_env:
        fix = "set password_env, unless the password was given to the API"
        yield Grade.WARN, "password_missing", "it needs a password, and the file names none", fix


def _ways(file: TrunkFile) -> _Found:
    comes = file.hosts or file.allowed_addresses or file.tls.allowed_names or file.register_there
    if not comes and not file.carries:
        yield (
            Grade.FAIL,
            "no_way",
            "no call can come or go by it",
            "add 'hosts:', 'carries:' or 'allowed_addresses:'",
        )
    if "*" in file.carries and not file.refuses:
        fix = "name the beginnings of numbers that may be called, or the dear ones in 'refuses:'"
        yield Grade.WARN, "carries_all", "it carries every number there is, premium rates among them", fix
    if any(network.prefixlen == 0 for network in file.allowed_addresses):
        fix = "name the provider's networks"
        yield Grade.FAIL, "open_door", "allowed_addresses lets everybody in the world call as this trunk", fix


def _tls(file: TrunkFile) -> _Found:
    for name in ("certificate", "key", "ca"):
        path = getattr(file.tls, name)
        if path and not Path(path).is_file():
            yield Grade.FAIL, "no_file", f"tls.{name}: there is no file {path}", "write the whole path"
    if not file.tls.verify:
        fix = "put the authority that signed it into tls.ca instead"
        yield Grade.WARN, "unverified", "tls.verify: false takes anybody for the provider", fix
