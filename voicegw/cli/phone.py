"""``voicegw phone secret NAME``: what the configuration keeps of a phone's password."""

from __future__ import annotations

import argparse
import getpass
import sys

from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.gateway.phone_config import is_phone_name
from voicegw.gateway.phone_secret import hashes_of
from voicegw.sip.digest import Algorithm

_KEYS = {Algorithm.MD5: "md5", Algorithm.SHA_256: "sha256", Algorithm.SHA_512_256: "sha512_256"}


def run(arguments: argparse.Namespace) -> int:
    """Read a password and print the entry for ``phones.accounts``."""
    phones = load_config(arguments.config).phones
    realm = arguments.realm or phones.policy.realm
    if not realm:
        raise ConfigError("the hashes depend on the realm", fix="set phones.domain, or say --realm voice.example")
    if not is_phone_name(arguments.name):
        raise ConfigError(f"no phone can be called {arguments.name!r}", fix="take letters, digits and _ . + -")
    print(f"- name: {arguments.name}")
    for kind, digits in hashes_of(arguments.name, realm, _password()).items():
        print(f"  {_KEYS[kind]}: '{digits}'")
    return 0


def _password() -> str:
    """From the terminal without showing it, or the first line of what is piped in."""
    text = getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if len(text) < 8:
        raise ConfigError("the password is too short", fix="take 8 characters or more, better 16 at random")
    return text
