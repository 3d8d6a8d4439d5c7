"""Folders of services that were killed do not pile up; those in use stay."""

import os
import tempfile

from vpr_tf.serving.metrics_folder import hold, metrics_folder


def test_only_old_folders_that_nobody_holds_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = {
        name: tmp_path / f"vpr-metrics-{name}" for name in ("old", "held", "new")
    }
    for folder in folders.values():
        folder.mkdir()
        (folder / "counter_1.db").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "vpr-metrics-link").symlink_to("elsewhere")
    for name in ("old", "held"):
        os.utime(folders[name], (0, 0))
    held = hold(folders["held"])

    with metrics_folder() as made:
        assert made.is_dir()
        found = {name for name, folder in folders.items() if folder.exists()}
    os.close(held)

    assert found == {"held", "new"}
    assert not made.exists()
    assert (tmp_path / "elsewhere").is_dir()
