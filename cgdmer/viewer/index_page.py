"""The list of recordings: one row for each, sortable, and the files that were refused with their reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer.page import Child, Html, el, section
from cgdmer.recordings import plausibility
from cgdmer.viewer import pages
from cgdmer.viewer.catalogue import Catalogue, Entry, Likely, Link, Refused, Title
from cgdmer.viewer.words import LISTED, MEASURES, percentile, value

LIKELIEST = 3
"""Classes that the list names for each recording."""


@dataclass(frozen=True)
class Surroundings:
    """What differs between a page of a folder and one of the server."""

    page: Link
    """Address of a recording's page, by number."""
    policy: str
    scripts: Sequence[str] = (pages.TABLE,)
    table: str = "recordings.csv"
    """Address of the table with all columns."""
    before: Child = None
    """What stands above the list."""


def render(catalogue: Catalogue, around: Surroundings) -> str:
    """Return the page."""
    counts = (
        f"{pages.count(len(catalogue.entries), 'recording')}, {pages.count(len(catalogue.refused), 'file')} refused."
    )
    header = el(
        "header",
        el("h1", "Recordings"),
        el("p", f"{counts} {_used(catalogue)}", class_="lead"),
        pages.notice(catalogue.about.warnings),
    )
    rows = [_row(catalogue, entry, around.page(place)) for place, entry in enumerate(catalogue.entries)]
    listing = section(
        "recordings", "List", table(catalogue, rows),
        el("p", el("a", "All scores and measurements as CSV", href=around.table, download=True), class_="no-print"),
    )  # fmt: skip
    main = el("main", around.before, listing, refused(catalogue.refused), _legend(catalogue))
    return pages.document("Recordings", header, main, scripts=around.scripts, policy=around.policy)


def _used(catalogue: Catalogue) -> str:
    start = catalogue.about.start
    return f"Encoder: {catalogue.about.encoder}." + (f" Read from second {start:g}." if start else "")


def listed(catalogue: Catalogue) -> dict[str, Title]:
    """Return the scores in the list: those that `About` marks, by column."""
    return {column: title for column, title in catalogue.about.titles.items() if title.is_listed}


def table(catalogue: Catalogue, rows: Sequence[Html]) -> Html:
    """Return the list; a script turns the names of its columns into buttons that sort it."""
    scores = [_head(title.short, title.name) for title in listed(catalogue).values()]
    measures = [_head(MEASURES[name].name, MEASURES[name].unit) for name in LISTED]
    likeliest = "Likeliest classes (percentile)" if catalogue.about.compared else "Likeliest classes"
    words = [el("th", text, scope="col") for text in ("Recording", "Quality", likeliest)]
    caption = el("caption", el("span", "Choose a column to sort by it; the arrow keys move between recordings."))
    head = el("thead", el("tr", words, measures, scores))
    content = el("table", caption, head, el("tbody", rows), class_="sortable")
    return el("div", content, class_="scroll", role="region", tabindex=0, aria_label="List of recordings")


def _head(text: str, explanation: str) -> Html:
    return el("th", text, scope="col", class_="number", title=explanation or None)


def _row(catalogue: Catalogue, entry: Entry, address: str) -> Html:
    likeliest = catalogue.likeliest(entry, LIKELIEST)
    cells = [
        el("th", el("a", pages.name_of(entry.name), href=address), scope="row", class_="name"),
        el("td", pages.badge(entry.quality, plausibility.NOTHING)),
        el("td", [el("span", _said(each), class_="item") for each in likeliest]),
    ]
    cells += [_number(value(name, entry.measurements), entry.measurements.get(name)) for name in LISTED]
    cells += [_number(f"{entry.scores[column]:.2f}", entry.scores[column]) for column in listed(catalogue)]
    return el("tr", cells)


def _said(likely: Likely) -> str:
    """Return a class with its probability and, if there is one, its percentile."""
    compared = "" if likely.percentile is None else f"\u00a0({percentile(likely.percentile)})"
    return f"{likely.title.name}\u00a0{likely.probability:.2f}{compared}"


def _number(text: str, exact: float | None) -> Html:
    return el("td", text, class_="number", data_v="" if exact is None else f"{exact:.6g}")


def refused(files: Sequence[Refused], anchor: str = "refused") -> Html | None:
    """Return the section of the files that could not be used."""
    if not files:
        return None
    rows = [
        el("tr", el("th", pages.name_of(one.name), scope="row", class_="name"), el("td", pages.visible(one.reason)))
        for one in files
    ]
    head = el("thead", el("tr", el("th", "File", scope="col"), el("th", "Reason", scope="col")))
    content = el("table", head, el("tbody", rows))
    box = el("div", content, class_="scroll", role="region", tabindex=0, aria_label="Refused files")
    return section(anchor, "Refused files", box, lead=f"{pages.count(len(files), 'file')} not used.")


def _legend(catalogue: Catalogue) -> Html | None:
    titles = listed(catalogue)
    if not titles:
        return None
    words = [[el("dt", title.short), el("dd", f"{title.name} ({title.group})")] for title in titles.values()]
    return section("columns", "Columns", el("dl", words, class_="words"))
