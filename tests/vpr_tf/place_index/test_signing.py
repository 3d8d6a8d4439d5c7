import base64
import json
import os
import shutil
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vpr_tf.place_index.samples import add, create, make_batch, manifest_of
from tests.vpr_tf.place_index.signing_pairs import write_keys
from vpr_tf.place_index import (
    PassphraseError,
    PlaceIndex,
    SignatureError,
    SigningKeyError,
)
from vpr_tf.place_index.manifest import MANIFEST_FILE, write_manifest
from vpr_tf.place_index.signature import SIGNATURE_FILE
from vpr_tf.search import IndexMismatchError, RetrievalError


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return write_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def made(keys, tmp_path_factory):
    """A signed index with all kinds of files; do not change it."""
    folder = tmp_path_factory.mktemp("made") / "index"
    create(folder, *make_batch(40))
    add(folder, *make_batch(3, first=40))
    PlaceIndex(folder).remove(["1.jpg"])
    PlaceIndex(folder).sign(keys[0])
    return folder


@pytest.fixture
def signed(made, tmp_path):
    return shutil.copytree(made, tmp_path / "signed")


def is_accepted(folder, public):
    """What `verify` says; opening must say the same."""
    try:
        accepted = PlaceIndex(folder).verify(key=public).is_intact
    except IndexMismatchError:
        accepted = False
    try:
        PlaceIndex.open(folder, key=public).close()
    except IndexMismatchError:
        assert not accepted
    else:
        assert accepted
    return accepted


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_signed_index_is_accepted_wherever_it_is(signed, keys, tmp_path):
    report = PlaceIndex(signed).verify(key=keys[1])
    assert report.is_intact
    assert report.signed_by.startswith("sha256:")
    moved = shutil.move(signed, tmp_path / "moved")
    with PlaceIndex.open(moved, key=keys[1]) as index:
        assert index.num_photos == 42
        assert index.verify().signed_by == report.signed_by


def test_signing_again_gives_the_same_bytes(signed, keys):
    before = (signed / SIGNATURE_FILE).read_bytes()
    PlaceIndex(signed).sign(keys[0])
    assert (signed / SIGNATURE_FILE).read_bytes() == before


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.data())
def test_any_changed_byte_of_any_file_is_refused(made, keys, data):
    files = [path for path in files_of(made) if path.stat().st_size]
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    changed = bytearray(before)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        path.write_bytes(changed)
        assert not is_accepted(made, keys[1])
    finally:
        path.write_bytes(before)
    assert is_accepted(made, keys[1])


def test_every_byte_of_the_signature_counts(signed, keys):
    path = signed / SIGNATURE_FILE
    before = path.read_bytes()
    contents = [before[:end] for end in range(len(before))] + [before + b"\n"]
    contents.append(json.dumps(json.loads(before)).encode())
    contents.append(before + b" " * 10_000)
    contents.append(before.replace(b'"generation": 3', b'"generation": 2'))
    for place in range(len(before)):
        changed = bytearray(before)
        changed[place] ^= 1
        contents.append(bytes(changed))
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(SignatureError):
            PlaceIndex(signed).verify(key=keys[1])


def test_every_file_can_be_missing_or_cut(signed, keys):
    for path in files_of(signed):
        content = path.read_bytes()
        if path.name == ".lock":
            continue
        path.unlink()
        assert not is_accepted(signed, keys[1]), path
        path.write_bytes(content[:-1])
        assert not is_accepted(signed, keys[1]), path
        path.write_bytes(content)
    assert is_accepted(signed, keys[1])


def test_checksums_that_an_attacker_made_anew_are_refused(signed, keys):
    """Plain `verify` calls such a folder intact: checksums tell nothing of origin."""
    text = (signed / MANIFEST_FILE).read_bytes()
    write_manifest(signed, manifest_of(signed))
    assert (signed / MANIFEST_FILE).read_bytes() == text
    other = PlaceIndex(signed)
    other.set_localization(None)
    other.remove(["2.jpg"])
    (signed / MANIFEST_FILE).write_bytes((signed / MANIFEST_FILE).read_bytes() + b"\n")
    assert other.verify().is_intact
    assert not is_accepted(signed, keys[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.add(
            make_batch(1, first=90)[0], photos=make_batch(1, 90)[1]
        ),
        lambda index: index.remove(["2.jpg"]),
        lambda index: index.compact(),
        lambda index: index.set_search("exact"),
        lambda index: index.set_localization(None),
    ],
    ids=["add", "remove", "compact", "set_search", "set_localization"],
)
def test_every_change_ends_the_signature_until_it_is_signed_again(signed, keys, change):
    change(PlaceIndex(signed))
    with pytest.raises(SignatureError, match=r"changed after .* generation 3.* at 4"):
        PlaceIndex(signed).verify(key=keys[1])
    assert PlaceIndex(signed).verify().is_intact
    PlaceIndex(signed).sign(keys[0])
    assert is_accepted(signed, keys[1])


def test_open_reader_refuses_an_unsigned_change(signed, keys):
    with PlaceIndex.open(signed, key=keys[1]) as index:
        PlaceIndex(signed).remove(["2.jpg"])
        with pytest.raises(SignatureError, match="changed after it was signed"):
            index.search(make_batch(1)[0], k=1)


def test_what_does_not_belong_to_the_index_is_named(signed, keys):
    (signed / "encoder").mkdir()
    (signed / "encoder" / "saved_model.pb").write_bytes(b"")
    (signed / "tuning").symlink_to(signed / "segments")
    problems = PlaceIndex(signed).verify(key=keys[1]).problems
    assert sorted(problems) == ["encoder/saved_model.pb", "tuning"]
    assert all("does not belong" in problem for problem in problems.values())
    assert not is_accepted(signed, keys[1])
    with pytest.raises(SignatureError, match="cannot be signed: encoder/saved_model"):
        PlaceIndex(signed).sign(keys[0])


def test_damaged_index_is_not_signed(signed, keys):
    path = signed / manifest_of(signed).removed_file
    path.write_bytes(path.read_bytes()[:-1] + b"\7")
    with pytest.raises(SignatureError, match="cannot be signed: removed-00000003"):
        PlaceIndex(signed).sign(keys[0])


def test_signature_of_another_key_or_index(signed, keys, tmp_path):
    _, other = write_keys(tmp_path / "other")
    with pytest.raises(SignatureError, match="signed with another key: 'sha256:"):
        PlaceIndex(signed).verify(key=other)
    create(tmp_path / "index", *make_batch(4))
    with pytest.raises(SignatureError, match="is not signed: it has no"):
        PlaceIndex(tmp_path / "index").verify(key=keys[1])
    PlaceIndex(tmp_path / "index").sign(keys[0])
    shutil.copy(tmp_path / "index" / SIGNATURE_FILE, signed)
    with pytest.raises(SignatureError, match="changed after it was signed"):
        PlaceIndex(signed).verify(key=keys[1])


def test_signature_of_something_else_by_the_same_key(signed, keys):
    private = serialization.load_pem_private_key(keys[0].read_bytes(), None)
    content = json.loads((signed / SIGNATURE_FILE).read_text())
    raw = private.sign((signed / MANIFEST_FILE).read_bytes())
    content["signature"] = base64.b64encode(raw).decode()
    (signed / SIGNATURE_FILE).write_text(json.dumps(content, indent=2) + "\n")
    with pytest.raises(SignatureError, match=r"its manifest\.json is another"):
        PlaceIndex(signed).verify(key=keys[1])


def test_link_in_place_of_the_signature_is_not_followed(signed, keys, tmp_path):
    shutil.move(signed / SIGNATURE_FILE, tmp_path / "elsewhere.sig")
    (signed / SIGNATURE_FILE).symlink_to(tmp_path / "elsewhere.sig")
    with pytest.raises(ValueError, match="symbolic link"):
        PlaceIndex(signed).verify(key=keys[1])
    with pytest.raises(ValueError, match="symbolic link"):
        PlaceIndex(signed).sign(keys[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a private Ed25519 key in PEM"),
        (b"not a key", "must be a private Ed25519 key in PEM"),
        (os.urandom(200), "must be a private Ed25519 key in PEM"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "must be a private Ed25519 key in PEM",
        ),
    ],
)
def test_file_that_is_no_private_key(signed, tmp_path, content, message):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SigningKeyError, match=message) as raised:
        PlaceIndex(signed).sign(tmp_path / "key")
    assert "AAAA" not in str(raised.value)
    with pytest.raises(SigningKeyError, match="must be a public"):
        PlaceIndex(signed).verify(key=tmp_path / "key")


def test_keys_in_each_others_place(signed, keys):
    with pytest.raises(SigningKeyError, match="Received: a public key"):
        PlaceIndex(signed).sign(keys[1])
    with pytest.raises(SigningKeyError, match="Received: a private key"):
        PlaceIndex.open(signed, key=keys[0])


def test_key_of_another_kind(signed, tmp_path):
    private, public = write_keys(tmp_path / "rsa", generate_private_key(65537, 2048))
    with pytest.raises(SigningKeyError, match=r"an Ed25519 key.* RSA"):
        PlaceIndex(signed).sign(private)
    with pytest.raises(SigningKeyError, match=r"an Ed25519 key.* RSA"):
        PlaceIndex(signed).verify(key=public)


def test_locked_key(signed, tmp_path):
    private, public = write_keys(tmp_path / "locked", passphrase=b"open sesame")
    index = PlaceIndex(signed)
    for passphrase in (None, "", "wrong"):
        with pytest.raises(PassphraseError):
            index.sign(private, passphrase=passphrase)
    index.sign(private, passphrase="open sesame")
    assert is_accepted(signed, public)


def test_folder_that_is_no_index_and_missing_key(keys, signed, tmp_path):
    with pytest.raises(RetrievalError, match="No index at"):
        PlaceIndex(tmp_path).sign(keys[0])
    with pytest.raises(RetrievalError, match="No index at"):
        PlaceIndex(tmp_path).verify(key=keys[1])
    with pytest.raises(FileNotFoundError):
        PlaceIndex(signed).verify(key=tmp_path / "gone.pem")


def test_missing_extra_is_named(signed, keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    for use in (
        lambda: PlaceIndex(signed).sign(keys[0]),
        lambda: PlaceIndex.open(signed, key=keys[1]),
    ):
        with pytest.raises(ImportError, match=r"pip install 'vpr_tf\[sign\]'"):
            use()
    assert PlaceIndex(signed).verify().is_intact
