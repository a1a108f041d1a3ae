"""Phones that want to know about other phones: the lamps of a desk phone, presence in a softphone.

Whoever has proven to be one of our phones may subscribe to another (RFC 6665): to ``dialog`` for a busy lamp
(RFC 4235), to ``presence`` for a list of people (RFC 3856, RFC 3863, with "on the phone" of RFC 4480).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from voicegw.gateway.phone_book import DIALOG, PRESENCE, PhoneBook, PhoneState
from voicegw.gateway.sip_driver import SipDriver
from voicegw.sip.events import SubscribeReceived, SubscriptionEnded, SubscriptionEvent, SubscriptionHandle

TYPES: Final = {DIALOG: "application/dialog-info+xml", PRESENCE: "application/pidf+xml"}
"""What packages are told in."""
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(slots=True)
class _Watcher:
    """One subscription. ``version`` counts what it was told (RFC 4235 §3.2)."""

    package: str
    phone: str
    version: int = 0


class PhoneWatchers:
    """Answers subscriptions, and tells them what :class:`PhoneBook` tells."""

    def __init__(self, book: PhoneBook, driver: SipDriver) -> None:
        self._book = book
        self._driver = driver
        self._notifier = driver.agent.notifier
        self._watchers: dict[SubscriptionHandle, _Watcher] = {}
        book.listeners.append(self._changed)

    def __len__(self) -> int:
        return len(self._watchers)

    def handle(self, event: SubscriptionEvent) -> None:
        """A phone subscribes, or has gone; what becomes of subscriptions of ours is nothing for here."""
        if isinstance(event, SubscriptionEnded):
            self._watchers.pop(event.handle, None)
        elif isinstance(event, SubscribeReceived):
            self._subscribe(event)
            self._driver.pump()

    def _subscribe(self, event: SubscribeReceived) -> None:
        now, name = self._driver.now, self._book.is_ours(event.target)
        kind = TYPES[event.package]
        if not event.phone:
            self._notifier.refuse(event.handle, 403, now)
        elif name is None or self._book.account(name) is None:
            self._notifier.refuse(event.handle, 404, now)
        elif event.accept and not {kind, "application/*", "*/*"} & {one.partition(";")[0] for one in event.accept}:
            self._notifier.refuse(event.handle, 406, now)
        else:
            watcher = self._watchers[event.handle] = _Watcher(event.package, name)
            self._notifier.accept(event.handle, kind, self._body(watcher, self._book.state(name, now)), now)

    def _changed(self, state: PhoneState) -> None:
        """Tell it a moment later: the user agent may be in the midst of a REGISTER."""
        if any(one.phone == state.name for one in self._watchers.values()):
            asyncio.get_running_loop().call_soon(self._tell, state)

    def _tell(self, state: PhoneState) -> None:
        for handle, watcher in list(self._watchers.items()):
            if watcher.phone == state.name:
                self._notifier.notify(handle, self._body(watcher, state), self._driver.now)
        self._driver.pump()

    def _body(self, watcher: _Watcher, state: PhoneState) -> bytes:
        entity = f"sip:{state.name}@{self._book.domain}"
        if watcher.package == PRESENCE:
            return pidf(entity, state)
        document = dialog_info(entity, state, watcher.version)
        watcher.version += 1
        return document


def dialog_info(entity: str, state: PhoneState, version: int) -> bytes:
    """The calls of a phone (RFC 4235 §4.1), without saying with whom."""
    dialogs = "".join(
        f'<dialog id="{number}"><state>confirmed</state></dialog>' for number in range(1, state.calls + 1)
    )
    return (
        f'{_HEAD}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full"'
        f" entity={quoteattr(entity)}>{dialogs}</dialog-info>\n"
    ).encode()


def pidf(entity: str, state: PhoneState) -> bytes:
    """Whether somebody can be called (RFC 3863 §4.1), and is on the phone (RFC 4480 §3.2)."""
    basic = "open" if state.registered else "closed"
    activity = "<rp:activities><rp:on-the-phone/></rp:activities>" if state.calls else ""
    return (
        f'{_HEAD}<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rp="urn:ietf:params:xml:ns:pidf:rpid" entity={quoteattr(entity)}>'
        f'<tuple id="phone"><status><basic>{basic}</basic></status></tuple>'
        f'<dm:person id="person">{activity}</dm:person></presence>\n'
    ).encode()
