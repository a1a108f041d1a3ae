"""The settings of :mod:`voicegw.media.line`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal, TypeAlias

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install

Suppression: TypeAlias = Literal["off", "low", "moderate", "high", "very_high"]
_PACKAGE: Final = "pywebrtc_audio"


@dataclass(frozen=True, slots=True)
class LineConfig:
    """WebRTC's processing of what comes from telephones, before anybody hears it; all off by default.

    It costs several times what a leg costs without it, and needs the extra ``line``.
    """

    echo_cancel: Literal["off", "webrtc"] = "off"
    """Subtract what comes back of our own sound (AEC3)."""
    noise_suppression: Suppression = "off"
    """Lower steady noise by 6, 12, 18 or 21 dB."""
    gain_control: Literal["off", "webrtc"] = "off"
    """Bring speech to one level for people, too (AGC2); what recognisers hear is levelled by ``ear_level_dbov``."""

    @property
    def on(self) -> bool:
        """Whether there is anything to do."""
        return any(value != "off" for value in (self.echo_cancel, self.noise_suppression, self.gain_control))

    def __post_init__(self) -> None:
        """Refuse what cannot be had; raises :class:`ConfigError`."""
        if self.on and find_spec(_PACKAGE) is None:
            raise ConfigError(
                "media.line_processing needs the Python package pywebrtc-audio",
                fix=f"{pip_install('voicegw[line]')}, or leave media.line_processing out",
            )
