"""A node in the hands of its operators: signals, ``voicegw drain`` and the API order the same things here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from voicegw.api.node_board import DrainWish, ReloadReport
from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.base.personal import Personal
from voicegw.config import Config
from voicegw.runtime.drain import DrainConfig, DrainOrder, DrainStatus, Farewell
from voicegw.runtime.node import Node
from voicegw.server_reload import Reloader
from voicegw.server_settings import LiveSettings
from voicegw.sip.dialling import call_target

log = logging.getLogger(__name__)


class Lifecycle:
    """Implements the API's ``NodeBoard``. Belongs to the event loop of the calls."""

    def __init__(self, settings: LiveSettings, node: Node, reloader: Reloader) -> None:
        self._settings = settings
        self._node = node
        self._reloader = reloader

    @property
    def config(self) -> Config:
        """What is in force; any thread may ask."""
        return self._settings.current

    def status(self) -> DrainStatus:
        """See the protocol."""
        return self._node.drainer.status()

    def ready(self) -> Mapping[str, bool]:
        """Whether new calls are taken now; any thread may ask."""
        return {"admission": self._node.admits}

    async def drain(self, wish: DrainWish, by: str) -> DrainStatus:
        """See the protocol."""
        config = self._settings.current.drain
        order = DrainOrder(
            config.deadline_s if wish.deadline_s is None else wish.deadline_s,
            Farewell(config.farewell) if wish.farewell is None else wish.farewell,
            config.transfer_to if wish.transfer_to is None else wish.transfer_to,
            wish.stop,
            by,
        )
        if order.farewell is Farewell.TRANSFER:
            self._check_target(order.transfer_to)
        return self._node.drainer.order(order)

    def stop(self) -> None:
        """A signal says that the process has to end: with its last call, or soon after ``limits.drain_s``."""
        config = self._settings.current
        self._node.drainer.order(order_of_signal(config.drain, config.limits.drain_s), final=True)

    async def undrain(self, by: str) -> DrainStatus:
        """See the protocol."""
        return await self._node.drainer.undo(by)

    async def reload(self, by: str) -> ReloadReport:
        """See the protocol."""
        log.info("reloading", extra={"by": Personal(by)})
        return await self._reloader.reload()

    def _check_target(self, target: str) -> None:
        if any(known.name == target for known in self._settings.current.transfer.targets):
            return
        try:
            call_target(target)
        except RemoteProtocolError:
            raise ConfigError(
                f"nobody can be sent to {target!r}",
                fix="name a target of the section transfer, a SIP URI or a number",
            ) from None


def order_of_signal(config: DrainConfig, deadline_s: float) -> DrainOrder:
    """What a signal to stop means."""
    order = DrainOrder(deadline_s, Farewell(config.farewell), config.transfer_to)
    return replace(order, stop=True, by="signal")
