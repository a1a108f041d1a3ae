"""Layer 9: the command line."""

from voicegw.cli.main import main

__all__ = ["main"]
