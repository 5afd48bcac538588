"""The page of what the present results cost, beside the benchmark page, which DVC compares and costs would change."""

from collections.abc import Sequence
from pathlib import Path

from cgdmer import paths
from cgdmer.costs import Cost
from cgdmer.files import write_text
from cgdmer.page.elements import document, el, section
from cgdmer.report import costs
from cgdmer.report.table import html

PATH = paths.REPORTS / "costs.html"
"""Git and DVC leave it alone."""


def write(spent: Sequence[Cost]) -> Path:
    """Write the page and return its path."""
    note = (
        "Wall time, CPU time of all cores, GPU time, largest memory, and bytes read and written, worker processes "
        "included. Results that came from a cache or from another machine are left out."
    )
    body = [
        el("header", el("h1", "What the results cost")),
        el(
            "main",
            section("stages", "By stage", html(costs.by_stage(spent)), lead=note),
            section("calls", "By stage call", html(costs.by_call(spent))),
        ),
    ]
    write_text(PATH, document("What the results cost", *body, description="Time, memory and bytes by stage"))
    return PATH
