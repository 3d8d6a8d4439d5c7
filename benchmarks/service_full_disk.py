"""Fills the disk below a service that adds photos to its index under load.

    python -m benchmarks.service_full_disk --work DIR [--count 50] [--photos 20000]

The index lies on a file system of its own. In each trial that has little room or none
while two clients send photos: the addition must be done or refused as one that changed
nothing, and every answer must be that of the index with or without the photo. With room
again the same addition must be done, and its removal give the first answers again. At
the end the index must be intact.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.faults.injections import mount, set_size, unmount, used_bytes
from benchmarks.figures import record
from benchmarks.service import Running, Setting, serving
from benchmarks.service_index import draw_photos, index_of
from benchmarks.service_kills import Clients, difference
from benchmarks.soak import localized
from benchmarks.timing import describe_machine
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving.key_file import ADMIN, MOST_RATE, add_key

_PATIENCE_S = 60.0
_DONE, _UNAVAILABLE = 200, 503
_SENT = 8
_MOST_ROOM = 1.5  # times what an addition leaves, since it writes more than that
_KEY = "added.jpg"
Answers = dict[Path, list[dict[str, Any]]]


class Admin:
    """Adds one photo to an index by its service, and removes it.

    Args:
        url: Of the service.
        key: Of an admin.
        photo: The photo.
    """

    def __init__(self, url: str, key: str, photo: Path) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE_S)
        self._photo = photo

    def add(self) -> int:
        """Returns the status."""
        fields = {"latitude": "37.7", "longitude": "-122.4", "key": _KEY}
        files = {"photos": ("a.jpg", self._photo.read_bytes())}
        return self._client.post("/v1/photos", data=fields, files=files).status_code

    def remove(self) -> int:
        """Returns the status."""
        keys = {"keys": [_KEY]}
        return self._client.request("DELETE", "/v1/photos", json=keys).status_code


def main(arguments: list[str] | None = None) -> int:
    """Makes the trials, prints what they came to; 1 if something was wrong."""
    options = _parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    _, small = draw_photos(options.work)
    built = index_of(options.work, options.photos, "scann")
    disk = options.work / "disk"
    disk.mkdir(exist_ok=True)
    if not mount(disk):
        print("A tmpfs cannot be mounted here: nothing was tried.", file=sys.stderr)
        return 2
    try:
        index = disk / "city.index"
        shutil.copytree(built, index)
        return _campaign(index, small, options)
    finally:
        unmount(disk)


def _campaign(index: Path, small: list[Path], options: argparse.Namespace) -> int:
    keys = options.work / "keys.json"
    keys.unlink(missing_ok=True)
    key = add_key(keys, "campaign", ADMIN, MOST_RATE)
    command = [sys.executable, "-m", "vpr_tf", "serve", "--index", str(index)]
    command += ["--port", "0", "--keys", str(keys)]
    setting = Setting(command, options.work, small[0], small, 0, 0)
    rng = np.random.default_rng(options.seed)
    findings: list[str] = []
    refused = 0
    with serving(setting) as service:
        admin = Admin(service.url, key, small[_SENT])
        needed, expected = _undisturbed(service, admin, small[:_SENT], index, key)
        clients = Clients(service.url, expected, key)
        for number in range(options.count):
            was_refused, finding = _trial(admin, index.parent, needed, rng)
            refused += was_refused
            if finding:
                findings.append(f"{number}: {finding}")
                print(findings[-1], flush=True)
        clients.stop()
        findings += clients.wrong[:20]
        for photo, (first, _) in expected.items():
            if other := difference(localized(service.url, photo, key), first):
                findings.append(f"at the end {photo.name}: {other}")
    findings += [f"verify: {text}" for text in PlaceIndex(index).verify().problems]
    print(
        f"{describe_machine()}\n{options.count} trials, {refused} additions refused, "
        f"{clients.answered:,} answers meanwhile, {clients.failed} requests without "
        f"one, {len(findings)} findings"
    )
    for line in findings:
        print(line)
    record("service_full_disk", "findings", len(findings), "")
    return int(bool(findings or clients.failed))


def _undisturbed(
    service: Running, admin: Admin, photos: list[Path], index: Path, key: str
) -> tuple[int, Answers]:
    """Returns the bytes that an addition needs, and the answers without and with it."""
    before = used_bytes(index.parent)
    expected: Answers = {p: [localized(service.url, p, key)] for p in photos}
    statuses = [admin.add()]
    needed = used_bytes(index.parent) - before
    for photo, answers in expected.items():
        answers.append(localized(service.url, photo, key))
    statuses.append(admin.remove())
    if statuses != [_DONE, _DONE]:
        raise RuntimeError(f"Changes failed undisturbed: {statuses}")
    return needed, expected


def _trial(
    admin: Admin, disk: Path, needed: int, rng: np.random.Generator
) -> tuple[bool, str]:
    """Returns whether the addition was refused, and what was wrong."""
    room = int(rng.uniform(0, _MOST_ROOM) * max(needed, 4096))
    set_size(disk, used_bytes(disk) + room)
    try:
        status = admin.add()
    finally:
        set_size(disk, None)
    if status not in (_DONE, _UNAVAILABLE):
        return False, f"status {status} with {room} bytes left"
    if status == _UNAVAILABLE and (again := admin.add()) != _DONE:
        return True, f"status {again} with room again"
    if (removed := admin.remove()) != _DONE:
        return status != _DONE, f"status {removed} of the removal"
    return status != _DONE, ""


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_full_disk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
