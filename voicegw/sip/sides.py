"""Everything that a user agent does, one object for each part of it."""

from __future__ import annotations

from voicegw.sip.core import Core
from voicegw.sip.inviting import Inviter
from voicegw.sip.messaging import MessagingSide
from voicegw.sip.notifier import NotifyingSide
from voicegw.sip.outside import RequestingSide
from voicegw.sip.pressing import PressingSide
from voicegw.sip.refer import ReferringSide
from voicegw.sip.referred import ReferredSide
from voicegw.sip.refreshing import RefreshingSide
from voicegw.sip.reinviting import ReinvitingSide
from voicegw.sip.uac import CallingSide
from voicegw.sip.uas import AnsweringSide
from voicegw.sip.updating import UpdatingSide
from voicegw.sip.watching import WatchingSide


class Sides:
    """Made once for a user agent; they share its core."""

    def __init__(self, core: Core) -> None:
        self.answering = AnsweringSide(core)
        self.inviter = Inviter(core)
        self.reinviting = ReinvitingSide(core, self.inviter)
        self.calling = CallingSide(core, self.inviter, self.reinviting)
        self.referring = ReferringSide(core)
        self.referred = ReferredSide(core)
        self.messaging = MessagingSide(core)
        self.pressing = PressingSide(core)
        self.notifier = NotifyingSide(core)
        self.watcher = WatchingSide(core)
        self.requesting = RequestingSide(core)
        self.refreshing = RefreshingSide(core, self.reinviting)
        self.updating = UpdatingSide(core)
