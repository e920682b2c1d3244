"""The report in a real browser: Debian's Chromium, driven by Playwright.

Contrast is held to 4.5, the least that WCAG 2.2 (criterion 1.4.3, AA) asks of body text.
"""

import os
import shutil
from pathlib import Path

import pytest

from report_samples import made_result
from scalebridge.report.page import write_report

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(110)]

CONTRAST = """selector => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const paper = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll(selector)].map(element => {
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    const [one, two] = [luminance(rgb(ink)), luminance(paper(element))];
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright's Python package is not installed"
    )
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"there is no browser at {CHROMIUM}: apt-get install chromium")
    with sync_api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = write_report(made_result(), tmp_path_factory.mktemp("report") / "out.html")
    return Path(path).as_uri()


@pytest.fixture
def opened(browser, address):
    """Return a function that opens the report and gathers what the browser complains about or asks for."""
    contexts = []

    def start(width=1200, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        return page

    yield start
    for context in contexts:
        context.close()


def test_the_answer_and_every_picture_are_there(opened, address):
    page = opened()
    assert page.locator("#result-1-answer .number").inner_text().startswith("5.18 ± 0.20")
    assert page.get_by_text("All 3 checks passed.").first.is_visible()
    widths = page.eval_on_selector_all("img", "all => all.map(i => [i.complete, i.naturalWidth, i.width])")
    assert len(widths) == 8
    assert all(complete and natural > 0 and shown > 100 for complete, natural, shown in widths)
    sizes = page.eval_on_selector_all(
        ".drawing svg",
        "all => all.map(s => [s.getBoundingClientRect().width, s.getBoundingClientRect().height])",
    )
    assert len(sizes) == 6
    assert all(width > 200 and height > 40 for width, height in sizes)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [address]


def test_the_origin_opens_and_the_json_is_readable(opened):
    page = opened()
    assert not page.get_by_text("ab" * 32).is_visible()
    page.locator("summary").click()
    assert page.get_by_text("ab" * 32).is_visible()
    found = page.evaluate("JSON.parse(document.getElementById('result-1-json').textContent)")
    assert found["schema"] == "scalebridge/upscaled/1"


@pytest.mark.parametrize("width", [420, 800, 1600])
def test_nothing_sticks_out_sideways(opened, width):
    page = opened(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
             .filter(e => !e.closest('.scroll, svg, .drawing'))
             .filter(e => e.getBoundingClientRect().right > window.innerWidth + 0.5)
             .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert beyond == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(opened, scheme):
    page = opened(scheme=scheme)
    page.locator("summary").click()
    ratios = page.evaluate(
        CONTRAST, "p, td, th, dt, dd, figcaption, caption, li, a, .badge, .unit, .pm, svg text"
    )
    assert len(ratios) > 100
    assert min(ratios) >= 4.5
    body = page.evaluate(CONTRAST, "p.sentences")
    assert min(body) >= 7.0
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_drawings_do_not_run_over_their_edges(opened):
    page = opened()
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('.drawing svg')].flatMap(s => {
             const box = s.getBoundingClientRect();
             return [...s.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();
               return b.left < box.left - 2 || b.right > box.right + 2; }).map(t => t.textContent); })"""
    )
    assert beyond == []
