"""The session timer of each call: what was agreed last, and the two timers that follow from it (RFC 4028)."""

from __future__ import annotations

from collections.abc import Hashable

from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.reply import Pairs
from voicegw.sip.session_timer import (
    SessionTimer,
    SessionTimerPolicy,
    agreed,
    granted,
    is_too_brief,
    min_se,
    offered,
)
from voicegw.sip.timers import Timer, TimerQueue

MAX_422 = 3
"""So often a request is tried again with a longer interval; who still finds it too brief means something else."""


class KeptSession:
    """What a call knows about its session timer. It owns the timers that run under its name."""

    __slots__ = ("policy", "timer", "min_se_s", "sdp", "peer_updates", "refusals")

    def __init__(self) -> None:
        self.policy: SessionTimerPolicy | None = None
        """What was wanted of session timers when the call began; None before that is asked."""
        self.timer: SessionTimer | None = None
        self.min_se_s = 0
        """The largest Min-SE that a 422 or a request of the peer named; 0 for none."""
        self.sdp = b""
        """Our latest description that is in force: what a refresh by re-INVITE repeats (§7.4)."""
        self.peer_updates = False
        """Whether the peer takes UPDATE (RFC 3311), which refreshes without an offer."""
        self.refusals = 0
        """How many 422 came in a row."""


class SessionKeeper:
    """Negotiates for all calls. ``owner`` of the timers is the call."""

    def __init__(self, timers: TimerQueue[Hashable], policy: SessionTimerPolicy) -> None:
        self._timers = timers
        self.policy = policy
        """Of calls that begin from now on: a refresh in a running one is not refused for what it was granted."""

    # ---------------------------------------------------------------- requests of ours

    def offer(self, kept: KeptSession | None = None) -> Pairs:
        """The headers of our next INVITE, re-INVITE or UPDATE; None for the first request of a call."""
        return offered(self._of(kept), kept.timer, kept.min_se_s) if kept else offered(self.policy, None, 0)

    def receive_success(self, kept: KeptSession, owner: Hashable, response: Response, now: float) -> None:
        """A 2xx came for an INVITE, re-INVITE or UPDATE of ours."""
        kept.refusals = 0
        self._note_peer(kept, response.headers)
        kept.timer = agreed(response.headers, self._of(kept), kept.timer)
        self._start(kept, owner, now)

    def receive_too_brief(self, kept: KeptSession, response: Response) -> bool:
        """A 422 came (§7.3): whether to ask again, with the Min-SE that it named."""
        least = min_se(response.headers)
        kept.refusals += 1
        if least <= kept.min_se_s or kept.refusals > MAX_422:
            return False
        kept.min_se_s = least
        return True

    # ---------------------------------------------------------------- requests of the peer

    def refusal(self, incoming: Incoming, kept: KeptSession | None = None) -> Pairs:
        """The Min-SE of the 422 that an INVITE or UPDATE is to be refused with; empty where it may pass. ``kept``:
        of the call that it is for; None for a new one."""
        policy = self.policy if kept is None else self._of(kept)
        if not is_too_brief(incoming.request.headers, policy):
            return ()
        return (("Min-SE", str(policy.min_se_s)),)

    def grant(self, kept: KeptSession, owner: Hashable, request: Request, now: float) -> Pairs:
        """The headers of our 2xx to an INVITE, re-INVITE or UPDATE, which is sent now."""
        self._note_peer(kept, request.headers)
        kept.min_se_s = max(kept.min_se_s, min_se(request.headers))
        kept.timer, pairs = granted(request.headers, self._of(kept))
        self._start(kept, owner, now)
        return pairs

    def refuse_refresh(self, kept: KeptSession, owner: Hashable, now: float) -> None:
        """A refresh of ours was refused. From a peer without session timers any answer is a sign of life."""
        if kept.timer is not None and not kept.timer.peer_knows:
            self._start(kept, owner, now)

    def stop(self, owner: Hashable) -> None:
        """The call is over."""
        self._timers.stop(owner, Timer.SESSION_REFRESH)
        self._timers.stop(owner, Timer.SESSION_EXPIRY)

    # ---------------------------------------------------------------- inside

    def _of(self, kept: KeptSession) -> SessionTimerPolicy:
        if kept.policy is None:
            kept.policy = self.policy
        return kept.policy

    def _start(self, kept: KeptSession, owner: Hashable, now: float) -> None:
        self.stop(owner)
        timer = kept.timer
        if timer is None:
            return
        self._timers.start(owner, Timer.SESSION_EXPIRY, now + timer.expiry_s)
        if timer.ours:
            self._timers.start(owner, Timer.SESSION_REFRESH, now + timer.refresh_s)

    def _note_peer(self, kept: KeptSession, headers: Headers) -> None:
        allowed = headers.values("Allow")
        if allowed:
            kept.peer_updates = "UPDATE" in (method.upper() for method in allowed)
