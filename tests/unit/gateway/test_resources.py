"""New calls are refused before the process runs out of files or memory."""

from __future__ import annotations

import resource

from tests.unit.gateway.nodes import Node, run, until
from voicegw.gateway.resources import Resources, Use, use_now


def test_what_is_left_is_enough_until_it_is_not() -> None:
    use = [Use(100, 1024, 500_000_000)]
    resources = Resources(0, 64, lambda: use[0])
    assert resources.short_of() == ""
    resources.change(400, 64)
    assert resources.short_of() == "memory: 500 of 400 MB are in use"
    use[0] = Use(961, 1024, 0)
    assert resources.short_of() == "files to be opened: 961 of 1024 are open"
    use[0] = Use(960, 1024, 0)
    assert resources.short_of() == ""


def test_a_process_that_cannot_even_look_has_no_file_left() -> None:
    def fails() -> Use:
        raise OSError(24, "Too many open files")

    assert Resources(0, 64, fails).short_of() == "files to be opened: Too many open files"


def test_the_kernel_tells_what_is_used() -> None:
    use = use_now()
    assert 0 < use.files < use.most_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert use.memory_bytes > 1_000_000


def test_a_node_that_is_short_of_something_takes_no_calls_until_it_is_not() -> None:
    async def story() -> None:
        node = Node()
        short = ["memory: all of it"]
        try:
            node.gateway.watch_resources(lambda: short[0])
            await until(lambda: not node.gateway.admits())
            assert node.gateway.snapshot().overloaded
            short[0] = ""
            await until(node.gateway.admits)
        finally:
            node.gateway.close()

    run(story())
