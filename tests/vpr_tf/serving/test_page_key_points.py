"""Key points of re-ranked photos, drawn by the page in a real browser."""

from tests.vpr_tf.matching.streets import png, street
from tests.vpr_tf.serving.live_page import PALE_TEXTS, LivePage, chromium, live_service
from vpr_tf.config import RerankOverride
from vpr_tf.serving import ServiceSettings

# Where dots are drawn, as shares of the frames of both pictures.
DOTS = """() => [...document.querySelectorAll(".beside .picture")].map((frame) => {
  const { left, top, width, height } = frame.getBoundingClientRect();
  return [...frame.querySelectorAll("circle")].map((dot) => {
    const at = dot.getBoundingClientRect();
    return [(at.left + at.width / 2 - left) / width,
            (at.top + at.height / 2 - top) / height, dot.getAttribute("fill")];
  });
})"""


def test_shared_key_points_are_dots_of_one_colour_on_both_pictures(
    street_index, street_photos
):
    settings = ServiceSettings(
        {"city": street_index},
        photos=street_photos,
        rerank=RerankOverride("always", "sift"),
    )
    upload = {"name": "query.png", "mimeType": "image/png"}
    with live_service(settings) as address, chromium() as browser:
        page = LivePage(browser, address, viewport={"width": 360, "height": 740}).open()
        page.localize({**upload, "buffer": png(street(2)[:, 60:])})

        assert page.text(".chosen-match .name") == "2.png"
        photo, match = page.tab.evaluate(DOTS)
        assert len(photo) == len(match) > 40
        assert f"{len(photo)} points fit one scene" in page.text(".points-said")
        # A picture of 260 x 320 pixels stands in the middle of a square frame.
        shift = [30 / 320 - 60 / 320, 0]
        for (x, y, colour), (other_x, other_y, other_colour) in zip(
            photo, match, strict=True
        ):
            assert colour == other_colour
            assert abs(x - other_x - shift[0]) < 0.05
            assert abs(y - other_y - shift[1]) < 0.05
        assert page.tab.evaluate(PALE_TEXTS) == []
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= 360

        page.tab.focus(".toggle-points")
        page.tab.keyboard.press("Enter")
        assert page.count(".key-points") == 0
        assert page.tab.evaluate("document.activeElement.className") == "toggle-points"
        page.close()
