"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A change is judged by the same examples as the one before it. ``--hypothesis-profile=default`` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
