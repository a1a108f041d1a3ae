"""Certificates from the web: one GET by https, to an address that was checked, without redirects.

The name is resolved here and the connection goes to the address that was found fit, so that a name which answers
differently the second time leads nowhere else. The server's own certificate is still checked for the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias

import httpx

from voicegw.base.errors import ConfigError
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.freshness import keep_s
from voicegw.gateway.identity.places import Place, pick_addresses
from voicegw.stir.faults import Fault, IdentityFault

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host; raises OSError."""
_OK = 200
_THREADS: Final = ThreadPoolExecutor(8, "names of signers")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file, and how long it may be kept, in seconds."""

    pem: bytes
    keep_s: float


class Fetch(Protocol):
    """Fetches the certificates at a place; ``wall`` is the time of day. Raises IdentityFault (436)."""

    async def __call__(self, place: Place, wall: float) -> Fetched: ...


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system, in threads of its own: who calls chooses the name, and an answer may never come."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_THREADS, ask)
    return [str(place[0]) for *_, place in found]


class WebFetch:
    """The :class:`Fetch` of a node. Raises ConfigError where ``config.ca`` cannot be read."""

    def __init__(self, config: IdentityConfig, resolve: Resolve = resolve) -> None:
        self._config = config
        self._resolve = resolve
        self._patience = httpx.Timeout(None, connect=config.fetch_ms / 1000 / 3)
        self._tls: ssl.SSLContext | None = None
        if config.ca:
            try:
                self._tls = ssl.create_default_context(cafile=config.ca)
            except (OSError, ssl.SSLError) as error:
                message = f"no authorities of web servers: {error}"
                raise ConfigError(message, file=config.ca, fix="name a PEM file") from None

    async def __call__(self, place: Place, wall: float) -> Fetched:
        """All of it within ``fetch_ms``."""
        config = self._config
        try:
            async with asyncio.timeout(config.fetch_ms / 1000):
                found = await self._resolve(place.host, place.port)
                return await self._get_of_any(place, pick_addresses(found, private=config.private_addresses), wall)
        except TimeoutError:
            raise _unfetched(f"no certificate within {config.fetch_ms} ms") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise _unfetched(f"the certificate's server failed: {type(error).__name__}") from None

    async def _get_of_any(self, place: Place, addresses: Sequence[str], wall: float) -> Fetched:
        """Of the first address that can be reached: many hosts have two, and many nodes no IPv6."""
        for address in addresses[:-1]:
            try:
                return await self._get(place, address, wall)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._get(place, addresses[-1], wall)

    async def _get(self, place: Place, address: str, wall: float) -> Fetched:
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        # A client for each: a connection that was proven to be one host's must not serve another of its address.
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._patience) as client,
            client.stream(
                "GET",
                place.url_at(address),
                headers={"Host": place.authority, "Accept-Encoding": "identity"},
                extensions={"sni_hostname": place.host},
            ) as response,
        ):
            if response.status_code != _OK:
                raise _unfetched(f"the certificate's server said {response.status_code}")
            content = bytearray()
            async for (
                piece
            ) in response.aiter_raw():  # as it comes: nothing is unpacked to a thousand times its size
                content += piece
                if len(content) > self._config.max_bytes:
                    raise _unfetched(f"the certificate's file has more than {self._config.max_bytes} bytes")
            config = self._config
            keep = keep_s(response.headers, wall, config.keep_s, config.keep_at_most_s)
            return Fetched(bytes(content), keep)


def _unfetched(message: str) -> IdentityFault:
    return IdentityFault(Fault.UNFETCHED, message)
