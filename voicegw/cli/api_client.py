"""The API of a running server, for commands that ask it: where it is, with which key, and what it refuses."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

import httpx

from voicegw.base.errors import ConfigError, LocalError
from voicegw.config import load_config

KEY_VARIABLE: Final = "VOICEGW_API_KEY"


def api_url(arguments: argparse.Namespace) -> str:
    """``--url``, or where the configuration says."""
    if arguments.url:
        return str(arguments.url).rstrip("/")
    api = load_config(arguments.config).api
    return f"{'https' if api.tls_cert else 'http'}://{api.listen_host}:{api.listen_port}"


def api_key(arguments: argparse.Namespace, permissions: str) -> str:
    """Never an argument: everybody on a machine sees those. ``permissions`` that it needs, for who has none."""
    if arguments.key_file is not None:
        try:
            return Path(arguments.key_file).read_text().strip()
        except OSError as error:
            raise LocalError(f"{arguments.key_file} cannot be read: {error.strerror}") from None
    if not (key := os.environ.get(KEY_VARIABLE, "")):
        fix = f"make one that may {permissions} (voicegw keys make); give it by --key-file or in {KEY_VARIABLE}"
        raise ConfigError("there is no key of the API", fix=fix)
    return key


def api_client(arguments: argparse.Namespace, permissions: str, timeout_s: float = 10.0) -> httpx.Client:
    """A client that shows the key; close it."""
    headers = {"Authorization": f"Bearer {api_key(arguments, permissions)}"}
    return httpx.Client(base_url=api_url(arguments), headers=headers, timeout=timeout_s)


def ask(client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response:
    """The answer; LocalError where the server cannot be reached or refuses, with what it says."""
    try:
        answer = client.request(method, path, json=body) if body is not None else client.request(method, path)
    except httpx.HTTPError as error:
        raise LocalError(f"{client.base_url} does not answer: {error}") from None
    demand(answer)
    return answer


def demand(answer: httpx.Response) -> None:
    """LocalError with the server's reason where it refuses."""
    if answer.is_error:
        try:
            why = str(answer.json().get("detail", answer.status_code))
        except ValueError:
            why = f"HTTP {answer.status_code}"
        raise LocalError(f"the server does not do it: {why}")
