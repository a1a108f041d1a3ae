"""The file format of ``docs/privacy.md``, followed step by step with primitives only, on a file that was kept.

Whoever changes the format finds it out here: recordings that exist must open for ever.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicegw.recording.seal_keys import KeyRing, SealPrivateKey
from voicegw.recording.seal_reader import SealedReader

VECTOR = {
    name: bytes.fromhex(value) if isinstance(value, str) else value
    for name, value in json.loads(
        (Path(__file__).parents[2] / "vectors" / "seal" / "small.json").read_text(encoding="ascii")
    ).items()
}


def hkdf_sha256(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 with no salt, for one block of output."""
    pseudo_random_key = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudo_random_key, info + b"\x01", "sha256")


def test_a_kept_file_opens_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "call.wav.sealed"
    path.write_bytes(VECTOR["sealed"])
    reader = SealedReader(path, KeyRing([SealPrivateKey.from_bytes(VECTOR["private_key"])]))
    assert reader.complete and reader.read(0, reader.size) == VECTOR["wav"]
    reader.close()


def test_the_format_as_it_is_documented() -> None:
    file, private = VECTOR["sealed"], VECTOR["private_key"]
    x25519 = X25519PrivateKey.from_private_bytes(private[:32])
    mlkem = MLKEM768PrivateKey.from_seed_bytes(private[32:])
    public = x25519.public_key().public_bytes_raw() + mlkem.public_key().public_bytes_raw()
    assert hashlib.sha256(public).digest() == VECTOR["public_key_sha256"]

    magic, chunk_bytes, rate, channels, recipients, zero = struct.unpack(">8sIIBBH", file[:20])
    assert (magic, chunk_bytes, rate, channels, recipients, zero) == (b"VGWSEAL1", 64, 8000, 2, 1, 0)
    assert file[20:36] == VECTOR["file_id"]
    fixed = file[:17] + b"\x00" + file[18:36]

    key_id, point, ciphertext, sealed_key = file[36:44], file[44:76], file[76:1164], file[1164:1212]
    assert key_id == VECTOR["key_id"] == hashlib.sha256(b"voicegw seal key id 1" + public).digest()[:8]
    secrets = mlkem.decapsulate(ciphertext) + x25519.exchange(X25519PublicKey.from_public_bytes(point))
    wrapping_key = hkdf_sha256(secrets, b"voicegw seal 1: data key" + point + ciphertext + public)
    data_key = AESGCM(wrapping_key).decrypt(bytes(12), sealed_key, fixed)
    assert data_key == VECTOR["data_key"]

    sound, body = b"", file[1212:]
    chunks = [body[at : at + 80] for at in range(0, len(body), 80)]
    for number, chunk in enumerate(chunks):
        nonce = bytes(7) + number.to_bytes(4, "big") + bytes([number == len(chunks) - 1])
        sound += AESGCM(data_key).decrypt(nonce, chunk, fixed)
    assert sound == VECTOR["wav"][44:]
