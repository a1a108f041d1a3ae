"""Who we are towards the servers of trunks, and whom we believe there: which TLS settings hold for which name."""

from __future__ import annotations

from collections.abc import Iterable

from voicegw.gateway.tls_config import TlsClients, TlsClientSettings
from voicegw.gateway.trunk_config import Trunk
from voicegw.sip.address import unbracketed
from voicegw.sip.uri import SipUri


class TrunkTls:
    """Hands the settings of the trunks in force to ``clients``. Of two trunks with one server the first counts: a
    connection is shared, and cannot be two clients."""

    def __init__(self, clients: TlsClients) -> None:
        self._clients = clients
        self._known: frozenset[str] = frozenset()

    def put_in_force(self, trunks: Iterable[Trunk]) -> None:
        """For connections from now on; those that are open stay."""
        wanted: dict[str, TlsClientSettings] = {}
        for trunk in trunks:
            settings = tls_of(trunk)
            if settings is not None:
                for name in server_names(trunk):
                    wanted.setdefault(name, settings)
        for name in self._known - wanted.keys():
            self._clients.set(name, None)
        for name, settings in wanted.items():
            self._clients.set(name, settings)
        self._known = frozenset(wanted)


def tls_of(trunk: Trunk) -> TlsClientSettings | None:
    """What the trunk asks for besides the node's own settings; None: nothing."""
    tls = trunk.settings.tls
    if not (tls.certificate or tls.ca) and tls.verify:
        return None
    return TlsClientSettings(tls.ca, tls.certificate, tls.key, tls.verify)


def server_names(trunk: Trunk) -> tuple[str, ...]:
    """The names that connections of this trunk are dialled by, lower case and without brackets."""
    settings = trunk.settings
    hosts = [trunk.domain, *settings.hosts]
    hosts += [
        SipUri.parse(uri).host for uri in (*settings.outbound_proxies, settings.registration.registrar) if uri
    ]
    return tuple(dict.fromkeys(unbracketed(host).lower() for host in hosts if host))
