"""What an administrator says about models and voices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Where they come from; ``paths.models`` says where they lie."""

    mirror: str = ""
    """Where they come from: the address of a web server, or a directory of a site without a network. Nothing is
    fetched from anywhere else."""
