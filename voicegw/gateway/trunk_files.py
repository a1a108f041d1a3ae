"""Read trunks from files; everything that is wrong with one is reported at once, with file, line and fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import read_text, validate
from voicegw.dialplan.yaml_lines import ConfigProblems, Document, parse_yaml
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkFile, TrunkSettings

_SECRETS = ("password", "secret")
_OF_THE_FILE = frozenset({"name", "enabled"})


def parse_trunk(text: str, file: str) -> TrunkFile:
    """Check one file. Raises :class:`ConfigError`, or :class:`ConfigProblems` with all that is wrong."""
    document = parse_yaml(text, file)
    if secrets := list(_secrets(document)):
        raise ConfigProblems(secrets)
    return validate(TrunkFile, document)


def load_trunks(directory: Path, environ: Mapping[str, str]) -> dict[str, Trunk]:
    """Every trunk of a directory by name; none where there is no such directory.

    Raises ConfigProblems with all that is wrong in any file.
    """
    problems: list[ConfigError] = []
    trunks: dict[str, Trunk] = {}
    for path in sorted(directory.glob("*.yaml")):
        try:
            trunk = make_trunk(parse_trunk(read_text(path), str(path)), environ, str(path))
            if trunk.name in trunks:
                raise ConfigError(f"there is another trunk '{trunk.name}'", file=str(path), fix="rename one")
            trunks[trunk.name] = trunk
        except ConfigProblems as error:
            problems += error.problems
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise ConfigProblems(problems)
    return trunks


def settings_of(file: TrunkFile) -> TrunkSettings:
    """What a file sets, without its name."""
    return TrunkSettings.model_validate(file.model_dump(exclude=set(_OF_THE_FILE), exclude_unset=True))


def make_trunk(file: TrunkFile, environ: Mapping[str, str], place: str = "") -> Trunk:
    """The trunk of a file; raises ConfigError where the variable of its password is not set."""
    settings = settings_of(file)
    return Trunk(file.name, settings, env_password(settings, environ, place or file.name), enabled=file.enabled)


def env_password(settings: TrunkSettings, environ: Mapping[str, str], place: str) -> str:
    """The password out of the environment, "" where none is meant; raises ConfigError where it is not there."""
    name = settings.password_env
    if name and not environ.get(name):
        fix = f"export {name}=... before the server starts"
        raise ConfigError(f"password_env: the variable {name} is not set", file=place, fix=fix)
    return environ[name] if name else ""


def _secrets(document: Document) -> Iterator[ConfigError]:
    """A password in a file would end up in backups and in version control."""
    data = document.data if isinstance(document.data, dict) else {}
    for key in _SECRETS:
        if key in data:
            fix = "name an environment variable in 'password_env', or give it to the API"
            yield document.error((key,), "a password does not belong into a file", fix)
