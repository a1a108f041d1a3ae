"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A change is judged by the same examples as the one before it. ``--hypothesis-profile=default`` looks for new ones.
# No deadline: timings never decide a test, and a loaded machine stalls any example for longer than 200 ms.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
