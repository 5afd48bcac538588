"""Open a page with headless Chromium: console messages, horizontal overflow, figures without alternative text."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROBE = """
<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" srcdoc="{page}" style="border:0;width:{width}px;height:3000px"></iframe><pre id="found"></pre>
<script>
document.getElementById("page").addEventListener("load", (event) => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const inside = (node) => node.closest(".scroll, .sheet, svg, .skip, details:not([open])") !== null;
  const over = [...page.querySelectorAll("body *")].filter(
    (node) => !inside(node) && node.getBoundingClientRect().right > root.clientWidth + 0.5);
  const silent = [...page.querySelectorAll("svg:not([aria-hidden])")].filter(
    (node) => !(node.getAttribute("aria-label") || "").trim() || !node.querySelector(":scope > title"));
  const bare = [...page.querySelectorAll("figure")].filter(
    (node) => !(node.querySelector("figcaption")?.textContent || "").trim());
  const headings = [...page.querySelectorAll("h1, h2, h3")].map((node) => Number(node.tagName[1]));
  document.getElementById("found").textContent = JSON.stringify({{
    scroll: root.scrollWidth, client: root.clientWidth, over: over.map((node) => node.outerHTML.slice(0, 90)),
    silent: silent.length, bare: bare.length, figures: page.querySelectorAll("figure").length, headings,
    targets: [...page.querySelectorAll("nav a")].filter((node) => !page.querySelector(node.hash)).length,
  }});
}});
</script>
"""


def look(page: str, width: int, folder: Path) -> dict[str, Any]:
    """Open a page in a window of `width` and return what was found; skips where there is no Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium to look at the page: apt-get install chromium")
    wrapper = folder / f"wrapper{width}.html"
    wrapper.write_text(PROBE.format(page=html.escape(page), width=width), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
        "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom", wrapper.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.S)
    assert found, f"Chromium did not open the page: {done.stderr[-2000:]}"
    lines = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(html.unescape(found[1])), "console": lines}
