"""``voicegw recordings keygen | info | unseal | seal | rewrap``: sealed recordings and their keys."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from voicegw.base.errors import ConfigError, LocalError
from voicegw.config import Config, load_config
from voicegw.recording.seal_files import rewrap, seal_recording
from voicegw.recording.seal_format import MAX_HEADER_BYTES, Content, SealError, parse_header
from voicegw.recording.seal_keys import (
    KeyRing,
    SealPrivateKey,
    SealPublicKey,
    read_key_ring,
    read_public_keys,
    write_key_pair,
)
from voicegw.recording.seal_reader import open_recording

_COPY_BYTES = 1 << 20


def run(arguments: argparse.Namespace) -> int:
    """Do what ``action`` says; 1 where something could not be done."""
    if arguments.action == "keygen":
        return _keygen(arguments.name)
    if arguments.action == "info":
        return max([_info(path) for path in arguments.files])
    config = load_config(arguments.config)
    if arguments.action == "unseal":
        return _unseal(arguments.file, arguments.out, _keys(arguments.key, config), cut=arguments.cut)
    if arguments.action == "seal":
        return _seal(arguments.files, _recipients(arguments.to, config))
    return _rewrap(arguments.files, _keys(arguments.key, config), _recipients(arguments.to, config))


def _keys(paths: Sequence[str], config: Config) -> KeyRing:
    ring = read_key_ring(paths or config.recording.unseal_with)
    if not len(ring):
        raise ConfigError("no private key is named", fix="give one with --key, or set recording.unseal_with")
    return ring


def _recipients(paths: Sequence[str], config: Config) -> tuple[SealPublicKey, ...]:
    recipients = read_public_keys(paths or config.recording.seal_to)
    if not recipients:
        raise ConfigError("no public key is named", fix="give one with --to, or set recording.seal_to")
    return recipients


def _keygen(name: Path) -> int:
    private, public = name.with_name(name.name + ".key"), name.with_name(name.name + ".pub")
    key = SealPrivateKey.generate()
    write_key_pair(key, private, public)
    print(f"key      {key.public_key().key_id.hex()}")
    print(f"private  {private}   keep it away from the server, and a copy of it in a safe place: without it")
    print("         no recording can ever be opened again")
    print(f"public   {public}   set recording.seal_to to this file")
    return 0


def _info(path: Path) -> int:
    try:
        with path.open("rb") as file:
            header = parse_header(file.read(MAX_HEADER_BYTES))
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None
    except SealError as error:
        print(f"{path}: {error}")
        return 1
    names = " ".join(wrapped.key_id.hex() for wrapped in header.recipients)
    kind = "WAV" if header.content is Content.PCM else "Opus in Ogg"
    print(f"{path}: {kind}, {header.rate} Hz, {header.channels} channels, sealed to {names}")
    return 0


def _unseal(path: Path, out: Path, keys: KeyRing, *, cut: bool) -> int:
    """Write the audio file; one without its end mark only where that is wished."""
    reader = open_recording(path, keys)
    try:
        if not reader.complete and not cut:
            print(
                f"{path} has no end mark: a crash cut it off, or somebody shortened it. --cut takes what is there.",
                file=sys.stderr,
            )
            return 1
        with out.open("xb") as file:
            for at in range(0, reader.size, _COPY_BYTES):
                file.write(reader.read(at, _COPY_BYTES))
    except OSError as error:
        raise LocalError(f"{out}: {error.strerror}") from None
    finally:
        reader.close()
    print(f"{out}: {reader.size} bytes")
    return 0


def _seal(paths: Sequence[Path], recipients: Sequence[SealPublicKey]) -> int:
    for path in paths:
        print(seal_recording(path, recipients))
    return 0


def _rewrap(paths: Sequence[Path], keys: KeyRing, recipients: Sequence[SealPublicKey]) -> int:
    """Every file that can be opened; those that cannot are named, and make it a failure."""
    failed = False
    for path in paths:
        try:
            rewrap(path, keys, recipients)
            print(f"{path}: ok")
        except SealError as error:
            failed = True
            print(f"{path}: {error}", file=sys.stderr)
    return int(failed)
