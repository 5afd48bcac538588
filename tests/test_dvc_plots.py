"""`dvc plots diff` overlays two revisions, and its page draws them without a network."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import altair
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
DRAWN = {name: plot for entry in PLOTS if isinstance(entry, dict) for name, plot in entry.items()}
CHANGED = {"auroc_by_fraction": ("mean", "0.5"), "auroc_by_class": ("auroc", "0.5"), "training": ("loss", "9.5")}
"""Column of each file that the second revision has another value in, and that value."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]


def run(folder: Path, *words: str) -> str:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def two_revisions(tmp_path_factory) -> Path:
    """A repository with the committed plots, and other values in its workspace, where one loss is missing too."""
    folder = tmp_path_factory.mktemp("plots")
    shutil.copytree(ROOT / "reports/plots", folder / "reports/plots")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    for name in (".dvc/config", ".dvc/.gitignore", ".dvc/plots.html"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first")
    for name, (column, value) in CHANGED.items():
        path = folder / f"reports/plots/{name}.csv"
        with path.open(newline="") as stream:
            rows = [row | {column: value} for row in csv.DictReader(stream)]
        for row in rows:
            row.pop("contrastive", None)
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def page(two_revisions) -> Path:
    run(two_revisions, "dvc", "plots", "diff", "HEAD", "workspace", "-o", "page")
    return two_revisions / "page/index.html"


def test_each_plot_holds_both_revisions_and_is_a_valid_vega_lite_chart(two_revisions):
    answer = json.loads(run(two_revisions, "dvc", "plots", "diff", "HEAD", "workspace", "--json"))
    assert "errors" not in answer
    assert set(DRAWN) <= set(answer["data"])
    for name in DRAWN:
        [plot] = answer["data"][name]
        assert set(plot["revisions"]) == {"HEAD", "workspace"}
        assert "<DVC" not in json.dumps(plot["content"])
        altair.Chart.from_dict(plot["content"])
        rows = plot["content"]["data"]["values"]
        column, value = CHANGED[Path(next(iter(DRAWN[name]["y"]))).stem]
        assert {row[column] for row in rows if row["rev"] == "workspace"} == {value}
        assert len({row[column] for row in rows if row["rev"] == "HEAD"}) > 10


def test_the_page_asks_no_network_for_anything(page):
    content = page.read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", content)
    assert "cdn" not in content.replace("// DVC calls vegaEmbed for each plot. Vega would come from a CDN", "").lower()


def drawn(page: Path, folder: Path) -> str:
    """Return the page's elements after its scripts ran."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium to look at the page: apt-get install chromium")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
               "--disable-background-networking", "--no-first-run", "--virtual-time-budget=4000", "--dump-dom",
               page.as_uri()]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_chromium_draws_a_line_for_each_revision_in_each_panel(page, tmp_path):
    content = drawn(page, tmp_path)
    assert ">Not drawn" not in content
    assert "NaN" not in content
    figures = dict(re.findall(r'<svg [^>]*aria-label="([^"]+)">(.*?)</svg>', content, re.S))
    shares = [text for label, text in figures.items() if label.startswith("Macro AUROC by share of labels: ")]
    assert len(shares) == len({row["task"] for row in committed("auroc_by_fraction")})
    assert all(text.count("<polyline") == 2 for text in shares)
    assert figures["Pretraining: loss"].count('points="') == 2
    missing_in_one = re.findall(r'points="([^"]*)"', figures["Pretraining: contrastive"])
    assert sorted(bool(line) for line in missing_in_one) == [False, True]
    classes = [text for label, text in figures.items() if label.startswith("AUROC by class: ")]
    own = [row for row in committed("auroc_by_class") if row["encoder"] == "cgdmer"]
    assert sum(text.count("<circle") for text in classes) == 2 * len(own)


def committed(name: str) -> list[dict[str, str]]:
    with (ROOT / f"reports/plots/{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_template_that_the_page_does_not_know_is_named_instead_of_drawn(page, tmp_path):
    other = tmp_path / "index.html"
    spec = '{"layer": [], "data": {"values": []}, "encoding": {}}'
    body = f"""<div id="plot_other"></div><script>vegaEmbed('#plot_other', {spec});</script>"""
    other.write_text((ROOT / ".dvc/plots.html").read_text().replace("{plot_divs}", body))
    assert ">Not drawn: this page draws only the templates in .dvc/plots" in drawn(other, tmp_path)
