"""The service on a port of this machine, and pages of it in a real browser."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from vpr_tf.serving import ServiceSettings, create_app

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_REFUSED = "Failed to load resource"


@contextlib.contextmanager
def live_service(settings: ServiceSettings) -> Iterator[str]:
    """Serves on a free port; gives the address."""
    config = uvicorn.Config(
        create_app(settings), port=0, log_level="error", ws="none", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Opens Debian's browser; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_OPTIONS.split()
        )
        yield browser
        browser.close()


class LivePage:
    """A page of the service, and what its browser asked for and complained of.

    Args:
        browser: What opens it.
        address: Of the service.
        **options: Of the browser's context, e.g. `color_scheme`.
    """

    def __init__(self, browser: sync_api.Browser, address: str, **options) -> None:
        self.address = address
        self.context = browser.new_context(locale="en-US", **options)
        self.context.set_default_timeout(10_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.refusals: list[str] = []
        self.tab = self.context.new_page()
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", self._note)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: sync_api.ConsoleMessage) -> None:
        is_refusal = message.text.startswith(_REFUSED)
        (self.refusals if is_refusal else self.complaints).append(message.text)

    def open(self, path: str = "/") -> LivePage:
        """Opens a page and waits until it is drawn."""
        self.tab.goto(self.address + path)
        self.tab.wait_for_load_state("networkidle")
        return self

    def localize(self, *files: Path | dict) -> None:
        """Chooses photos and waits for what is found of all of them."""
        self.tab.set_input_files("#files", list(files))
        self.until(
            f"""document.querySelectorAll(".item").length >= {len(files)} &&
            ![...document.querySelectorAll(".item .state")].some(
                state => /…|busy/.test(state.textContent))"""
        )

    def until(self, condition: str) -> None:
        """Waits until JavaScript is true; `wait_for_function` would break the CSP."""
        ends = time.monotonic() + 10
        while not self.tab.evaluate(condition):
            assert time.monotonic() < ends, condition
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What a part of the page says, with plain spaces."""
        return self.tab.locator(selector).first.inner_text().replace("\u00a0", " ")

    def count(self, selector: str) -> int:
        """Returns how many elements there are."""
        return self.tab.locator(selector).count()

    def close(self, expects_refusals: bool = False) -> None:
        """Closes it; nothing else was asked for, and the browser complains of nothing.

        Args:
            expects_refusals: Whether requests are refused, which browsers note.
        """
        self.context.close()
        own = (self.address, "blob:" + self.address, "data:")
        assert [one for one in self.requests if not one.startswith(own)] == []
        assert self.complaints == []
        if not expects_refusals:
            assert self.refusals == []


# Text of less contrast than WCAG 2 asks for (AA), as [text, ratio].
PALE_TEXTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(one).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    const isDrawn = element.closest("svg, script, noscript") === null;
    if (!text || !isDrawn || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(parse(style.color)), luminance(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24;
    if (ratio < (isLarge ? 3 : 4.5)) pale.push([text, ratio]);
  }
  return pale;
}"""

# Fields and buttons that a screen reader cannot name.
NAMELESS = """() => {
  const fields = document.querySelectorAll("button, input, select, a[href], [role]");
  const hasName = (one) => one.ariaLabel || one.textContent.trim() ||
    one.labels?.length || one.getAttribute("aria-labelledby");
  return [...fields].filter((one) => one.checkVisibility() && !hasName(one))
    .map((one) => one.outerHTML);
}"""

# Name of what has the focus, and whether a ring shows that.
FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return {};
  const hasRing = (at) => at && getComputedStyle(at).outlineStyle !== "none";
  return {[one.id || one.className || one.tagName]:
    Boolean(hasRing(one) || hasRing(one.closest("label")))};
}"""
