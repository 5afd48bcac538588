"""The pages in headless Chromium: keyboard, calipers, phone width, dark mode, hostile names, paper, dropped files."""

import re
from urllib.parse import quote

import pytest
from support import viewed
from support.devtools import Browser

from cgdmer.viewer import pages, recording_page

pytestmark = pytest.mark.slow

LUMINANCE = """
(selector) => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => c <= .03928 * 255 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4;
  const light = (rgb) => rgb.slice(0, 3).map(linear)
    .reduce((sum, c, place) => sum + c * [.2126, .7152, .0722][place], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const found = channels(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const contrast = (node) => {
    const pair = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
    return (pair[0] + .05) / (pair[1] + .05);
  };
  return Math.min(...[...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map(contrast));
}
"""
TEXTS = "h1, h2, p, th, td, dt, dd, a, button, label, .badge, summary, figcaption, output"


@pytest.fixture(scope="module")
def server():
    with viewed.serving(viewed.site()) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def quiet(browser):
    """No page logs an error, is blocked by its own policy, or runs what a name holds."""
    browser.look(1200)
    browser.console.clear()
    yield
    assert browser.console == []
    assert browser.value("document.title") != "owned"


def test_the_list_is_sorted_by_the_keyboard(browser, server):
    browser.open(server.url)
    names = "[...document.querySelectorAll('.sortable tbody th')].map((cell) => cell.textContent)"
    before = browser.value(names)
    browser.value("[...document.querySelectorAll('thead button')].find((b) => b.textContent === 'QRS').focus()")
    browser.key("Enter", "\r")
    entries = {pages.visible(one.name): one.measurements.get("qrs_ms") for one in viewed.catalogue().entries}
    measured = sorted((value, name) for name, value in entries.items() if value is not None)
    absent = [name for name, value in entries.items() if value is None]
    assert browser.value(names) == [name for _, name in measured] + absent != before
    assert browser.value("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"
    browser.key("Enter", "\r")
    assert browser.value(names) == [name for _, name in reversed(measured)] + absent
    assert browser.value("document.querySelectorAll('[aria-sort=none]').length") == browser.value(
        "document.querySelectorAll('.sortable thead th').length - 1"
    )


def test_arrow_keys_move_between_recordings(browser, server):
    browser.open(server.url)
    browser.value("document.querySelector('.sortable tbody a').focus()")
    browser.key("ArrowDown")
    browser.key("ArrowDown")
    browser.key("ArrowUp")
    assert browser.value("document.activeElement.textContent") == pages.visible(viewed.HOSTILE[1])
    browser.key("Enter", "\r")
    browser.loaded()
    assert browser.value("document.querySelector('h1').textContent") == pages.visible(viewed.HOSTILE[1])
    browser.console.clear()  # its drawing is gone, which the next page's is not
    browser.key("ArrowRight")
    browser.loaded()
    assert browser.value("document.querySelector('h1').textContent") == pages.visible(viewed.HOSTILE[2])


def image(browser):
    """Return left, top and pixels per millimetre of the paper."""
    return browser.value(
        "(() => { const i = document.images[0], r = i.getBoundingClientRect();"
        " return [r.left, r.top, r.width / (i.naturalWidth * 25.4 / 96)]; })()"
    )


@pytest.mark.parametrize("zoomed", [0, 2])
def test_a_drag_measures_in_milliseconds_and_millivolt(browser, server, zoomed):
    browser.open(f"{server.url}recording/0")
    for _ in range(zoomed):
        browser.value("document.querySelector('[aria-label=\"Zoom in\"]').click()")
    browser.value("document.querySelector('.tools button[aria-pressed=false]')?.click()")
    browser.value("document.querySelector('.paper').scrollIntoView()")
    left, top, scale = image(browser)
    across, down = max(left, 0) + 60, top + 60
    browser.drag((across, down + 10 * scale), (across + 20 * scale, down))
    text = browser.value("document.querySelector('output').textContent")
    milliseconds, millivolt = map(float, re.fullmatch(r"(\d+) ms, ([\d.]+) mV, \d+/min", text).groups())
    assert milliseconds == pytest.approx(800, abs=45 / scale)
    assert millivolt == pytest.approx(1.0, abs=0.11 / scale)


def test_calipers_are_placed_and_moved_by_the_keyboard(browser, server):
    browser.open(f"{server.url}recording/0")
    browser.value("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Place calipers').focus()")
    browser.key("Enter", "\r")
    read = "document.querySelector('output').textContent"
    assert browser.value(read) == "1000 ms, 1.00 mV, 60/min"
    assert "arrow keys" in browser.value("document.activeElement.getAttribute('aria-label')")
    browser.key("ArrowLeft", modifiers=8)
    browser.key("ArrowDown", modifiers=8)
    assert browser.value(read) == "1200 ms, 1.50 mV, 50/min"
    browser.key("Escape")
    assert browser.value(read) == ""
    assert browser.value("document.querySelectorAll('.handle').length") == 0


@pytest.mark.parametrize("address", ["", "recording/0", "recording/6"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone_and_all_text_is_legible(browser, server, address, scheme):
    browser.look(360, 800, scheme=scheme)
    browser.open(server.url + address)
    browser.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.value("document.documentElement.scrollWidth") <= 360
    assert browser.value(f"({LUMINANCE})({TEXTS!r})") >= 4.5
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 128) == (scheme == "dark")


def test_everything_that_can_be_focused_has_a_name(browser, server):
    for address in ("", "recording/0"):
        browser.open(server.url + address)
        browser.call("Accessibility.enable")
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        focusable = [
            node for node in nodes
            if any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
            and node["role"]["value"] != "RootWebArea"
        ]  # fmt: skip
        assert len(focusable) > 8
        assert [node["role"] for node in focusable if not node.get("name", {}).get("value", "").strip()] == []
        pictures = [node for node in nodes if node["role"]["value"] == "image" and not node["ignored"]]
        assert all(node["name"]["value"].startswith("ECG of") for node in pictures)
        assert len(pictures) == (address != "")


def test_chosen_files_are_sent_and_listed(browser, server, tmp_path):
    good, bad = tmp_path / "<b>good<b>.hea", tmp_path / "bad'\".hea"
    good.write_bytes(b"good")
    bad.write_bytes(b"bad")
    browser.open(server.url)
    browser.choose("#files", [good, bad])
    browser.loaded()
    assert "<b>good<b>.hea" in browser.value("document.querySelector('#dropped').textContent")
    assert "bad'\".hea" in browser.value("document.querySelector('#refused-drops').textContent")


def test_a_file_that_is_dropped_on_the_page_is_sent_and_listed(browser, server):
    browser.open(server.url)
    marked = browser.value(
        "(() => { const held = new DataTransfer(); held.items.add(new File(['good'], 'dropped <i>.hea'));"
        " const fire = (kind) => document.body.dispatchEvent(new DragEvent(kind,"
        " { dataTransfer: held, bubbles: true, cancelable: true }));"
        " fire('dragover'); const marked = document.querySelector('.drop').classList.contains('over');"
        " fire('drop'); return marked; })()"
    )
    assert marked, "the box shows that files may be dropped"
    browser.loaded()
    assert "dropped <i>.hea" in browser.value("document.querySelector('#dropped').textContent")


def test_a_page_of_a_folder_works_offline_and_prints_on_one_sheet(browser, tmp_path):
    catalogue = viewed.catalogue()
    place = recording_page.Place("../index.html", lambda row: f"{row}.html", 0, pages.policy([pages.PAPER]))
    address = f"data:image/svg+xml,{quote(viewed.drawing())}"
    page = tmp_path / "0001.html"
    page.write_text(recording_page.render(catalogue, catalogue.entries[0], address, "", place), encoding="utf-8")
    browser.open(page.as_uri())
    assert browser.value("document.images[0].naturalWidth") > 500
    assert browser.value("document.querySelectorAll('.tools button').length") == 6
    browser.look(1200, scheme="dark")
    printed = browser.pdf()
    assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) == 1
    browser.look(1062, media="print")
    width = browser.value("document.images[0].getBoundingClientRect().width")
    assert width == pytest.approx(browser.value("document.images[0].naturalWidth"), abs=1)  # 25 mm are a second
