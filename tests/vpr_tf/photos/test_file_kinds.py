import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.photos.file_kinds import SkippedFiles

HIDDEN = """.DS_Store ._a.jpg Thumbs.db THUMBS.DB desktop.ini @eaDir/a.jpg
__MACOSX/._a.jpg a/.thumbnails/b.jpg a/#recycle/c.png $RECYCLE.BIN/d.jpg .git/HEAD"""
OTHERS = """IMG.AAE a.xmp a.DNG a.THM a.gpx a.json notes.txt clip.MP4 clip.mov a.csv
a.pdf a.nef a.html a.zip voice.m4a"""
PHOTOS = """a.jpg B.JPEG c.png d @0@1@.jpg phone.heic a.webp a.gif a.tif x.unknown
@eaDir.jpg a/@0547400.04@4173201.04@10@S@@@@@@@@@@@.jpg"""


def kept(paths):
    skipped = SkippedFiles()
    found = [path for path, _ in skipped.leave_out(iter([(p, 1) for p in paths]))]
    return found, skipped


@pytest.mark.parametrize("folder", ["", "2019/"])
def test_kinds(folder):
    paths = [
        folder + name for names in (HIDDEN, OTHERS, PHOTOS) for name in names.split()
    ]
    found, skipped = kept(paths)
    assert found == [folder + name for name in PHOTOS.split()]
    assert skipped == SkippedFiles(len(HIDDEN.split()), len(OTHERS.split()))
    assert skipped.text == "15 other files and 11 hidden or system files"


@given(
    st.lists(st.from_regex(r"[a-zA-Z0-9._~#@$-]{1,12}(/[a-z.]{1,5})?", fullmatch=True))
)
def test_every_file_is_counted_once(paths):
    found, skipped = kept(paths)
    assert len(found) + skipped.num_hidden + skipped.num_other == len(paths)
