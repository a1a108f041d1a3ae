"""The dialplan and agents in force. A reload builds everything anew, then swaps one reference."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from voicegw.agents.agent import Agent
from voicegw.agents.announcing import announcer
from voicegw.base.errors import ConfigError
from voicegw.dialplan.match import Dialplan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """Routes and the agents they name, checked against one another."""

    dialplan: Dialplan
    agents: Mapping[str, Agent]

    @property
    def announcers(self) -> tuple[Agent, ...]:
        """Who speaks for the routes that announce something."""
        return tuple(
            announcer(route.announcement, self.agents.get(route.agent), route.cause)
            for route in self.dialplan.routes
            if route.announcement is not None
        )


class DialplanStore:
    """Holds the installation. A running call keeps the one it began with."""

    def __init__(self, load: Callable[[], Installation]) -> None:
        self.load = load
        """Builds the installation anew; raises ConfigError."""
        self.current = load()

    def reload(self) -> ConfigError | None:
        """Load anew and swap; on any error the old one stays in force and the error is returned."""
        try:
            self.current = self.load()
        except ConfigError as error:
            log.error("reload refused, the running configuration stays: %s", error)
            return error
        log.info("dialplan reloaded", extra={"agents": len(self.current.agents)})
        return None
