"""The page in a real browser: what it shows, and what it never does."""

import dataclasses
import json

import pytest

from tests.vpr_tf.serving.live_page import (
    FOCUSED,
    NAMELESS,
    PALE_TEXTS,
    LivePage,
    chromium,
    live_service,
)
from tests.vpr_tf.serving.samples import PHOTOS, photo, tiny_encoder
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import Calibration
from vpr_tf.localization.calibration import to_stored
from vpr_tf.localization.features import calibrated_settings
from vpr_tf.localization.reliability import Reliability, ReliabilityBin
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings
from vpr_tf.serving.key_file import add_key

HOSTILE = "<img src=x onerror=document.title='taken'>.jpg"
KEYS = [HOSTILE, *(f"streets/{number}.jpg" for number in range(1, len(PHOTOS)))]
LIMIT = 40_000


def calibration(fingerprint):
    """Similar photos are sure, others are not."""
    config = LocalizationConfig()
    bins = [ReliabilityBin(20, 0.4, 0.45), ReliabilityBin(20, 0.9, 0.95)]
    return to_stored(
        config,
        Calibration(
            kind="platt",
            settings=calibrated_settings(config),
            encoder_fingerprint=fingerprint,
            fitted_on="val of city",
            dataset_fingerprint="0" * 64,
            num_queries=40,
            num_right=30,
            threshold_m=25.0,
            feature_weights={"similarity": 1.0, "gap": 0.0, "share": 0.0},
            scores=[0.99, 0.999],
            log_odds=[-2.0, 3.0],
            error_scores=[0.99, 0.999],
            error_m=[400.0, 12.0],
            error_quantile=0.9,
            min_votes=1,
            wanted_precision=0.9,
            min_confidence=0.8,
            precision=0.95,
            coverage=0.6,
            outside_answered=0.1,
            reliability=Reliability(bins, 0.05, 0.95, 0.6, 0.7, 5),
        ),
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    extractor = tiny_encoder(folder / "encoder")
    streets = folder / "photos" / "streets"
    streets.mkdir(parents=True)
    for key, content in zip(KEYS, PHOTOS, strict=True):
        (folder / "photos" / key).write_bytes(content)
    with PlaceIndex.create(
        folder / "city",
        extractor.extract(PHOTOS),
        encoder=extractor,
        latitude=[37.7 + number / 5000 for number in range(len(KEYS))],
        longitude=[-122.5] * len(KEYS),
        heading_deg=[45.0] * len(KEYS),
        timestamps=[f"20{10 + number}0630" for number in range(len(KEYS))],
        keys=KEYS,
        attribution="A City",
        licence="CC BY-SA 4.0",
    ) as index:
        index.set_localization(calibration(index.manifest.encoder_fingerprint))
    indexes = {"city": folder / "city"}
    return ServiceSettings(
        indexes, photos=folder / "photos", max_photo_bytes=LIMIT, max_pixels=10**7
    )


@pytest.fixture(scope="module")
def address(settings):
    with live_service(settings) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser, address):
    opened = LivePage(browser, address)
    yield opened.open()
    opened.close()


@pytest.fixture
def refusing_page(browser, address):
    opened = LivePage(browser, address)
    yield opened.open()
    opened.close(expects_refusals=True)


def upload(name, content):
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def test_localized_photo_is_shown_with_its_matches(page):
    page.localize(upload("query.jpg", PHOTOS[2]))

    assert page.text(".status") == "Localized"
    assert page.text(".found .headline") == "Within about 12 m"
    assert "Nine of ten such photos" in page.text(".reason")
    assert page.text(".sure").split()[:2] == ["0.95", "confidence"]
    assert "37.70040, -122.50000" in page.text(".found .facts")
    assert "north-east, 45°" in page.text(".found .facts")
    assert page.text(".chosen-match .name") == KEYS[2]
    assert "June 2012" in page.text(".chosen-match")
    assert "Less than 1 m away" in page.text(".chosen-match")
    assert "A City, CC BY-SA 4.0" in page.text(".chosen-match")
    page.until("[...document.images].filter(one => one.naturalWidth > 0).length >= 2")
    for drawn in (".accuracy", ".here .wedge", ".match-point", ".to-match", ".north"):
        assert page.count(drawn), drawn
    assert page.count(".unsure") == 0
    assert page.text("#live") == ("query.jpg: Within about 12 m, confidence 0.95")


def test_withheld_position_is_never_shown_as_a_find(page):
    page.localize(upload("elsewhere.jpg", photo(99)))

    assert page.text(".status") == "Withheld"
    assert page.text(".found .headline").startswith("Not sure enough; perhaps within")
    assert "is below 0.80. The place on the map is not to be relied on" in page.text(
        ".reason"
    )
    assert page.count(".accuracy.unsure") == page.count(".here.unsure") == 1
    assert "dashed" in page.tab.locator(".found").evaluate(
        "one => getComputedStyle(one).borderStyle"
    )
    assert "Not sure enough" in page.text("#live")


def test_photo_from_outside_has_no_position(page):
    page.tab.click("#options summary")
    page.tab.fill("#near", "10, 20")
    assert page.count(".near-circle") == 1
    page.tab.check("#exif")
    assert (page.tab.input_value("#near"), page.count(".near-circle")) == ("", 0)
    page.tab.fill("#near", "10, 20")
    assert not page.tab.is_checked("#exif")
    page.localize(upload("far.jpg", PHOTOS[0]))

    assert page.text(".status") == "Outside"
    assert page.text(".found .headline") == "No place found"
    assert page.count(".here") == page.count(".accuracy") == 0


def test_several_photos_are_a_list_that_arrow_keys_walk(page, tmp_path):
    names = ["a.jpg", "b.jpg", "c.jpg"]
    photos = [PHOTOS[1], photo(99), PHOTOS[5]]
    page.localize(*map(upload, names, photos))
    states = page.tab.locator(".item .state").all_inner_texts()
    assert "12" in states[0]
    assert "withheld" in states[1]
    assert page.count(".other-photo") == 2

    page.tab.focus("#list")
    for key, name in [("ArrowDown", "b.jpg"), ("End", "c.jpg"), ("ArrowUp", "b.jpg")]:
        page.tab.keyboard.press(key)
        assert page.text(".item[aria-selected=true] .title") == name
        assert page.text(".beside .name") == name

    with page.tab.expect_download() as download:
        page.tab.click("#download")
    download.value.save_as(tmp_path / "found.geojson")
    found = json.loads((tmp_path / "found.geojson").read_text())
    features = [
        one for one in found["features"] if one["properties"]["kind"] == "localization"
    ]
    assert [one["properties"]["photo"] for one in features] == names
    assert [one["properties"]["status"] for one in features] == [
        "localized",
        "withheld",
        "localized",
    ]
    assert features[0]["geometry"]["coordinates"] == pytest.approx([-122.5, 37.7002])
    assert features[1]["geometry"] is None
    assert features[0]["properties"]["accuracy_probability"] == 0.9


def test_names_are_text_whatever_they_hold(page):
    page.localize(upload(HOSTILE, PHOTOS[0]), upload("b.jpg", PHOTOS[1]))

    assert page.text(".beside .name") == page.text(".chosen-match .name") == HOSTILE
    assert page.text(".item .title") == HOSTILE
    page.tab.hover(".match-point", force=True)
    assert page.count("img[src='x']") == 0
    assert page.tab.title() == "Where was this photo taken?"


def test_page_needs_no_mouse(page):
    page.localize(upload("a.jpg", PHOTOS[1]), upload("b.jpg", PHOTOS[2]))
    page.tab.evaluate("document.activeElement.blur()")
    reached = {}
    for _ in range(30):
        page.tab.keyboard.press("Tab")
        reached.update(page.tab.evaluate(FOCUSED))
    for wanted in ("files", "SUMMARY", "list", "download", "clear", "map", "match"):
        assert wanted in reached
    assert [name for name, outlined in reached.items() if not outlined] == []

    page.tab.focus("#options summary")
    page.tab.keyboard.press("Enter")
    page.tab.focus("#centre-near")
    page.tab.keyboard.press("Enter")
    assert page.tab.input_value("#near").startswith("37.70")
    page.tab.focus("#pick-near")
    page.tab.keyboard.press("Space")
    assert page.tab.locator("#map-said").is_visible()
    page.tab.keyboard.press("Escape")
    assert page.tab.locator("#map-said").is_hidden()
    page.tab.keyboard.press("Escape")
    assert page.tab.evaluate("document.querySelector('#options').open") is False
    assert page.tab.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.tab.evaluate(NAMELESS) == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photos_are_dropped_and_pasted(page, way):
    page.tab.evaluate(
        """([way, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "given.jpg",
            {type: "image/jpeg"}));
          const given = {bubbles: true, cancelable: true};
          document.body.dispatchEvent(way === "drop"
            ? new DragEvent("drop", {...given, dataTransfer: data})
            : new ClipboardEvent("paste", {...given, clipboardData: data}));
        }""",
        [way, list(PHOTOS[3])],
    )
    page.tab.wait_for_selector(".found.localized")
    assert page.text(".beside .name") == "given.jpg"


def test_place_to_search_near_is_clicked_on_the_map(page):
    page.tab.click("#options summary")
    page.tab.click("#pick-near")
    page.tab.click("#map", position={"x": 300, "y": 300})
    assert page.tab.locator("#map-said").is_hidden()
    latitude, longitude = map(float, page.tab.input_value("#near").split(","))
    assert (latitude, longitude) == pytest.approx((37.7007, -122.5), abs=0.01)
    assert "within 500 m of a place" in page.text("#options-said")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/indexes/city"])
def test_narrow_screens_and_colour_schemes(browser, address, scheme, path):
    page = LivePage(
        browser,
        address,
        viewport={"width": 360, "height": 740},
        color_scheme=scheme,
        reduced_motion="reduce",
    ).open(path)
    if path == "/":
        page.tab.click("#options summary")
        page.localize(*(upload(f"{n}.jpg", photo(n)) for n in (1, 99)))
        page.tab.keyboard.press("End")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.tab.evaluate(PALE_TEXTS) == []
    page.close()


def test_refusals_are_shown_in_the_words_of_the_service(refusing_page):
    page = refusing_page
    page.localize(
        upload("broken.jpg", b"\xff\xd8\xff and no more"),
        upload("large.jpg", PHOTOS[0] + b"\0" * LIMIT),
    )

    assert page.text(".status") == "Not localized"
    assert "broken.jpg" in page.text(".reason")
    page.tab.click(".item:nth-child(2)")
    assert page.text(".reason").endswith("This service takes photos of up to 40 kB.")
    page.tab.click("#options summary")
    page.tab.fill("#near", "somewhere")
    assert "must be a latitude and a longitude" in page.text("#options-said")
    page.tab.click("#again")
    page.tab.click(".item:first-child")
    assert "must be a latitude and a longitude" in page.text(".reason")


def test_busy_service_is_tried_again(refusing_page):
    page, answers = refusing_page, []

    def refuse_once(route):
        answers.append(route.request.url)
        if len(answers) > 1:
            route.continue_()
            return
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body='{"detail": "Busy."}')

    page.tab.route("**/v1/localize", refuse_once)
    page.tab.set_input_files("#files", [upload("a.jpg", PHOTOS[0])])
    page.tab.wait_for_selector("text=Next try in 1 s")
    page.tab.wait_for_selector(".found.localized")
    assert len(answers) == 2


def test_service_that_is_gone_is_told(refusing_page):
    page = refusing_page
    page.context.set_offline(True)
    page.tab.set_input_files("#files", [upload("a.jpg", PHOTOS[0])])
    page.tab.wait_for_selector("text=This device is offline.")
    page.context.set_offline(False)
    page.tab.click(".actions button")
    page.tab.wait_for_selector(".found.localized")


def test_key_is_asked_for_and_kept_in_memory_only(browser, settings, tmp_path):
    key = add_key(tmp_path / "keys.json", "someone", "query", 600)
    locked = dataclasses.replace(settings, key_file=tmp_path / "keys.json")
    with live_service(locked) as address:
        page = LivePage(browser, address).open()
        assert page.tab.locator("#key-form").is_visible()
        for entered in ("wrong", key):
            page.tab.fill("#key", entered)
            page.tab.keyboard.press("Enter")
            state = "visible" if entered == "wrong" else "hidden"
            page.tab.locator("#banner").wait_for(state=state)
        page.tab.locator("#key-form").wait_for(state="hidden")
        page.localize(upload("a.jpg", PHOTOS[1]))
        page.until("document.querySelector('.chosen-match img').naturalWidth > 0")
        stored = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert page.tab.evaluate(stored) == [0, 0, ""]
        assert not any(key in one for one in page.requests)
        page.close(expects_refusals=True)


def test_tiles_come_from_where_they_are_configured(browser, settings):
    tiles = {"tiles": "/static/icon.svg?{z}/{x}/{y}", "tiles_attribution": "© City"}
    with live_service(ServiceSettings(settings.indexes, **tiles)) as address:
        page = LivePage(browser, address).open()
        assert page.count("img.leaflet-tile") > 0
        assert page.count("canvas") == 0
        assert page.text(".leaflet-control-attribution") == "© City"
        page.close()


def test_page_about_an_index_shows_what_it_holds(browser, address):
    page = LivePage(browser, address).open("/indexes/city")
    assert page.text("h1") == "Index city"
    assert page.text("#headline").split("\n")[:2] == ["photos", "8"]
    assert page.count("#map .cell") > 1
    assert page.count("#years .bar") == 8
    assert page.count("#calibration .bin") == 2
    assert "60 % of these queries are localized" in page.text("#calibration")
    assert "tiny encoder" in page.text("#search")
    assert "CC BY-SA 4.0" in page.text("#quality")
    assert page.text(".leaflet-control-attribution") == "Photos: A City, CC BY-SA 4.0"
    assert page.tab.evaluate(NAMELESS) == []
    page.close()


def test_page_about_an_unknown_index_says_so(browser, address):
    page = LivePage(browser, address).open("/indexes/nowhere")
    assert "nowhere" in page.text("#banner")
    assert page.tab.locator("#content").is_hidden()
    page.close(expects_refusals=True)
