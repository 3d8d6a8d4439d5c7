"""Pairs of keys, as OpenSSL writes them."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def write_keys(folder, key=None, passphrase=None):
    """Writes `private.pem`, for the owner alone, and `public.pem`."""
    folder.mkdir(exist_ok=True)
    key = key or Ed25519PrivateKey.generate()
    lock = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    (folder / "private.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock)
    )
    (folder / "private.pem").chmod(0o600)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "public.pem").write_bytes(key.public_key().public_bytes(pem, public))
    return folder / "private.pem", folder / "public.pem"
