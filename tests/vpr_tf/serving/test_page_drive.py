"""Photos of one drive on the page, in a real browser: their track and its files."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tests.vpr_tf.serving.live_page import (
    NAMELESS,
    PALE_TEXTS,
    LivePage,
    chromium,
    live_service,
)
from tests.vpr_tf.serving.samples import PHOTOS, create_local_index
from vpr_tf.serving import ServiceSettings


def upload(name, content):
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def downloaded(page, button, path):
    with page.tab.expect_download() as download:
        page.tab.click(button)
    download.value.save_as(path)
    return path.read_text()


def test_a_drive_is_a_line_on_the_map_and_files(town, tmp_path):
    settings = ServiceSettings({"town": town}, max_photos=5)
    with live_service(settings) as address, chromium() as browser:
        page = LivePage(browser, address, viewport={"width": 360, "height": 740}).open()
        page.tab.click("#options summary")
        page.tab.check("#drive")
        assert page.tab.is_disabled("#heading")
        page.tab.fill("#between", "100")
        names = ["a.jpg", "broken.jpg", "a.jpg", "d.jpg"]
        contents = [PHOTOS[1], b"\xff\xd8\xff", PHOTOS[2], PHOTOS[3]]
        page.localize(*map(upload, names, contents))

        assert page.count(".track-line") == 1
        assert page.tab.locator(".item.failed .title").all_inner_texts() == [names[1]]
        assert page.count(".other-photo") == 2
        page.tab.click(".item:nth-child(3)")
        assert page.text(".beside .name") == "a.jpg"
        assert "37.72000, -122.50000" in page.text(".found .facts")
        features = json.loads(
            downloaded(page, "#download", tmp_path / "found.geojson")
        )["features"]
        track = features[-1]
        assert track["properties"]["photos"] == ["a.jpg", "a.jpg", "d.jpg"]
        [line] = track["geometry"]["coordinates"]
        assert line[2] == pytest.approx([-122.5, 37.73])
        assert features[0]["properties"]["photo"] == "a.jpg"
        text = downloaded(page, "#download-gpx", tmp_path / "track.gpx")
        points = ElementTree.fromstring(text).findall(".//{*}trkpt")
        assert [point.get("lat") for point in points][2] == "37.7300000"
        assert points[0].find("{*}name").text == "a.jpg"
        assert page.tab.evaluate(PALE_TEXTS) == []
        assert page.tab.evaluate(NAMELESS) == []
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= 360

        # Alone again, photos are no track; too many are none that is sent.
        page.tab.uncheck("#drive")
        page.tab.click("#again")
        page.until("!document.querySelector('.track-line')")
        page.until("document.querySelectorAll('.item.failed').length === 1")
        assert page.tab.is_hidden("#download-gpx")
        page.tab.check("#drive")
        page.localize(*(upload(f"{n}.jpg", PHOTOS[n]) for n in range(2)))
        assert "takes drives of up to 5 photos" in page.text(".reason")
        page.close(expects_refusals=True)


def test_a_drive_of_local_coordinates_is_no_line_and_no_gpx(tmp_path, extractor):
    create_local_index(tmp_path / "hall", extractor, 10.0)
    settings = ServiceSettings({"hall": tmp_path / "hall"})
    with live_service(settings) as address, chromium() as browser:
        page = LivePage(browser, address).open()
        page.tab.click("#options summary")
        page.tab.check("#drive")
        page.tab.fill("#between", "10")
        page.localize(*(upload(f"{n}.jpg", PHOTOS[n]) for n in range(3)))
        assert page.count(".track-line") == 0
        assert page.tab.is_hidden("#download-gpx")
        text = downloaded(page, "#download", tmp_path / "found.geojson")
        track = json.loads(text)["features"][-1]
        assert track["geometry"] is None
        assert track["properties"]["photos"] == ["0.jpg", "1.jpg", "2.jpg"]
