"""Writes `.pth` files in torch's zip format without torch, for tests."""

import io
import pickle
import sys
import zipfile

from tests.vpr_tf.models.torch_weights.legacy_pth_files import Storage


def pickled(content, protocol=2):
    """Returns what torch writes as data.pkl."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=protocol)
    torch = sys.modules.get("torch")

    def persistent_id(item):
        if not isinstance(item, Storage):
            return None
        kind = getattr(torch, item.type_name)
        return ("storage", kind, item.key, "cpu", item.declared_size)

    pickler.persistent_id = persistent_id
    pickler.dump(content)
    return file.getvalue()


def zip_members(content, storages, protocol=2):
    """Returns the names and bytes of the members, in torch's order."""
    return [
        ("archive/data.pkl", pickled(content, protocol)),
        ("archive/.format_version", b"1"),
        ("archive/byteorder", b"little"),
        *((f"archive/data/{s.key}", s.values.tobytes()) for s in storages),
        ("archive/version", b"3\n"),
    ]


def zip_bytes(content, storages, protocol=2):
    """Returns the bytes of a zip file that holds any picklable content."""
    return archive_bytes(zip_members(content, storages, protocol))


def archive_bytes(members, compression=zipfile.ZIP_STORED):
    """Returns the bytes of an archive of any members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()
