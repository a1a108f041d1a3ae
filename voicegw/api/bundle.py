"""Bundles: an agent, or the whole installation, as one YAML that people can read and another server can take in.

Documents stand in it as text blocks, word for word with their comments. Secrets are never in it: what needs one
says so, and keeps the one that the importing server has.
"""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import Field

from voicegw.api.answers import Name
from voicegw.api.teams import TeamBody
from voicegw.dialplan.checked import StrictModel, load_yaml
from voicegw.gateway.trunk_settings import TrunkSettings

FORMAT = 1
MEDIA_TYPE = "application/yaml"


class BundledTrunk(StrictModel):
    """A trunk without its password; ``password_needed`` says that there was one."""

    settings: TrunkSettings
    enabled: bool = True
    password_needed: bool = False


class Bundle(StrictModel):
    """Everything is by name. What is not in a bundle stays as it is at the server that takes it in."""

    voicegw_bundle: Literal[1]
    agents: dict[Name, str] = Field(default_factory=dict)
    dialplans: dict[Name, str] = Field(default_factory=dict)
    trunks: dict[Name, BundledTrunk] = Field(default_factory=dict)
    teams: dict[Name, TeamBody] = Field(default_factory=dict)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_bundle(bundle: Bundle) -> str:
    """The bundle as YAML; empty sections are left out."""
    data: dict[str, Any] = bundle.model_dump(exclude_defaults=True)
    return yaml.dump(
        {"voicegw_bundle": FORMAT, **data}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000
    )


def read_bundle(text: str) -> Bundle:
    """Parse a bundle; raises ConfigError or ConfigProblems with line and fix."""
    bundle, _ = load_yaml(Bundle, text, "bundle.yaml")
    return bundle
