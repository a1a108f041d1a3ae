"""What holds for all tests."""

from __future__ import annotations

import gc
import logging

from hypothesis import settings

from voicegw.base.personal import Disclosure, Personal, PersonalView

# A change is judged by the same examples as the one before it. ``--hypothesis-profile=default`` looks for new ones.
# No deadline: timings never decide a test, and a loaded machine stalls any example for longer than 200 ms.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Thousands of tests and all that they import stay to the end: to look for garbage among them again and again, while
# they are collected and with every full collection after that, takes a tenth of a run.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for, but only among what tests make."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup() -> None:
    """Commands under test say for the process what is logged, and of whom; the next test finds it as it was."""
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("voicegw").setLevel(logging.NOTSET)
    Personal.view = PersonalView(Disclosure.KEEP)
