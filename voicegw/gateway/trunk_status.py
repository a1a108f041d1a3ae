"""How every trunk stands, for people: is it registered, does it answer, what goes on, what went wrong last."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.gateway.registrations import RegistrationSnapshot
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk, TrunkState
from voicegw.gateway.trunk_health import HealthSnapshot
from voicegw.gateway.trunk_watch import TrunkWatchSnapshot


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """A trunk at this moment."""

    name: str
    enabled: bool
    up: bool
    """Whether calls out go by it."""
    why: str
    """Why not, in words; "" where it is up."""
    calls: int
    """At once, both ways."""
    max_calls: int
    """0: no limit."""
    registration: RegistrationSnapshot | None
    """None: it does not register us."""
    health: HealthSnapshot | None
    """None: nobody looks after it."""
    last_error: str
    """What the latest REGISTER or OPTIONS failed with; "" where both went well."""


def statuses(desk: TrunkDesk, watch: TrunkWatchSnapshot) -> tuple[TrunkStatus, ...]:
    """All trunks by name, those that are switched off among them."""
    states = {state.name: state for state in desk.snapshot()}
    registrations = {one.name: one for one in watch.registrations}
    health = {one.name: one for one in watch.health}
    trunks = sorted(desk.trunks, key=lambda trunk: trunk.name)
    return tuple(
        _status(trunk, states.get(trunk.name), registrations.get(trunk.name), health.get(trunk.name))
        for trunk in trunks
    )


def _status(
    trunk: Trunk,
    state: TrunkState | None,
    registration: RegistrationSnapshot | None,
    health: HealthSnapshot | None,
) -> TrunkStatus:
    off = "it is switched off" if not trunk.enabled else ""
    return TrunkStatus(
        name=trunk.name,
        enabled=trunk.enabled,
        up=state is not None and state.up,
        why=off or ("" if state is None else state.why),
        calls=0 if state is None else state.calls,
        max_calls=trunk.settings.max_calls,
        registration=registration,
        health=health,
        last_error=_last_error(registration, health),
    )


def _last_error(registration: RegistrationSnapshot | None, health: HealthSnapshot | None) -> str:
    if registration is not None and registration.failures:
        return f"REGISTER: {registration.status} {registration.reason}".strip()
    if health is not None and health.unanswered:
        return health.why or "no answer to OPTIONS"
    return ""
