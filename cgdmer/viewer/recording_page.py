"""The page of one recording: ECG paper, measurements, scores, similar recordings. It prints on one sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cgdmer.page import Child, Html, el, number, section
from cgdmer.recordings import plausibility
from cgdmer.signals.leads import LEADS
from cgdmer.viewer import pages
from cgdmer.viewer.catalogue import Catalogue, Entry, Link, Title
from cgdmer.viewer.words import BY_LEAD, MEASURES, by_lead, percentile, value

TOP = 6
"""Classes that are shown before all others."""


@dataclass(frozen=True)
class Place:
    """Where the page stands among the others."""

    index: str
    """Address of the list."""
    page: Link
    number: int | None
    """Number of the recording; None for one that is not of the folder."""
    policy: str
    scripts: Sequence[str] = (pages.PAPER,)


def render(catalogue: Catalogue, entry: Entry, picture: str | None, why: str, place: Place) -> str:
    """Return the page; `picture` is the address of the sheet, without which `why` says what is wrong with it."""
    title = pages.visible(entry.name)
    header = el(
        "header", _navigation(catalogue, place), el("h1", pages.name_of(entry.name), class_="name"),
        el("p", _facts(entry, catalogue.about.start), " ", pages.badge(entry.quality, plausibility.NOTHING)),
        pages.notice(catalogue.about.warnings),
    )  # fmt: skip
    below = el(
        "div", _measurements(entry), _scores(catalogue, entry), _similar(catalogue, entry, place), class_="parts"
    )
    main = el("main", _paper(title, picture, why), below)
    return pages.document(title, header, main, scripts=place.scripts, policy=place.policy)


def _navigation(catalogue: Catalogue, place: Place) -> Html:
    links = [el("a", "All recordings", href=place.index)]
    if place.number is not None:
        if place.number > 0:
            links.append(el("a", "Previous", href=place.page(place.number - 1), rel="prev"))
        if place.number + 1 < len(catalogue.entries):
            links.append(el("a", "Next", href=place.page(place.number + 1), rel="next"))
    return el("nav", el("ul", [el("li", link) for link in links]), aria_label="Recordings")


def _facts(entry: Entry, start: float) -> str:
    text = f"{entry.seconds:g} s read" + (f" from second {start:g}" if start else "")
    return f"{text}. Not recorded: {', '.join(entry.missing)}." if entry.missing else f"{text}, all twelve leads."


def _paper(title: str, picture: str | None, why: str) -> Html:
    if picture is None:
        return el("p", f"This recording cannot be drawn: {pages.visible(why)}", class_="note bad")
    image = el(
        "img", src=picture, alt=f"ECG of {title}: twelve leads on paper, 25 mm/s and 10 mm/mV", draggable="false"
    )
    return el("figure", el("div", el("div", image, class_="stage"), class_="paper", tabindex=0, role="group",
                           aria_label="ECG paper"), class_="ecg-sheet")  # fmt: skip


def _measurements(entry: Entry) -> Html:
    if not entry.measurements.get("beats"):
        return section("measurements", "Measurements", el("p", "No beats were found."))
    facts = [el("div", el("dt", MEASURES[name].name), el("dd", value(name, entry.measurements))) for name in MEASURES]
    head = el("tr", el("th", "Lead", scope="col"), [el("th", lead, scope="col", class_="number") for lead in LEADS])
    numbers = {name: by_lead(kind, entry.measurements) for kind, name in BY_LEAD.items()}
    rows = [
        el("tr", el("th", name, scope="row"), [el("td", text, class_="number") for text in texts])
        for name, texts in numbers.items()
    ]
    leads = _box("Measurements of each lead", el("thead", head), el("tbody", rows))
    return section("measurements", "Measurements", el("dl", facts, class_="values"), leads)


def _scores(catalogue: Catalogue, entry: Entry) -> Html:
    top = [(each.title.name, f"{each.probability:.2f}", each.percentile) for each in catalogue.likeliest(entry, TOP)]
    titles = catalogue.about.titles
    groups = list(dict.fromkeys(title.group for title in titles.values()))
    every = [_group(group, entry, [column for column, title in titles.items() if title.group == group], titles)
             for group in groups]  # fmt: skip
    likeliest = _compared("Likeliest classes", "Probability", top) if top else None
    more = el("details", el("summary", f"All {len(titles)} scores"), every, class_="no-print")
    return section("scores", "Scores", likeliest, more if titles else el("p", "There are no scores."))


def _group(group: str, entry: Entry, columns: Sequence[str], titles: Mapping[str, Title]) -> Html:
    ordered = sorted(columns, key=lambda column: -entry.scores[column])
    kind = "Probability" if titles[ordered[0]].is_probability else "Cosine"
    rows = [(titles[each].name, f"{entry.scores[each]:.3f}", entry.percentiles.get(each)) for each in ordered]
    return el("div", el("h3", group), _compared(f"Scores of {group}", kind, rows))


def _compared(label: str, kind: str, rows: Sequence[tuple[str, str, float | None]]) -> Html:
    """Return classes with their scores, and with percentiles if one has any."""
    if all(exact is None for *_, exact in rows):
        return _table(label, ("Class", kind), [row[:2] for row in rows])
    return _table(label, ("Class", kind, "Percentile"), [(*row[:2], percentile(row[2])) for row in rows])


def _similar(catalogue: Catalogue, entry: Entry, place: Place) -> Html:
    found = catalogue.similar(entry, place.number)
    rows = [
        (el("a", pages.name_of(catalogue.entries[row].name), href=place.page(row), class_="name"), number(cosine, 3))
        for row, cosine in found
    ]
    shown = _table("Most similar recordings", ("Recording", "Cosine"), rows) if rows else el("p", "There is no other.")
    return section("similar", "Most similar recordings", shown)


def _table(label: str, heads: Sequence[str], rows: Sequence[Sequence[Child]]) -> Html:
    first, *others = heads
    head = el("tr", el("th", first, scope="col"), [el("th", each, scope="col", class_="number") for each in others])
    body = [
        el("tr", el("th", name, scope="row"), [el("td", each, class_="number") for each in cells])
        for name, *cells in rows
    ]
    return _box(label, el("thead", head), el("tbody", body))


def _box(label: str, *parts: Html) -> Html:
    return el("div", el("table", parts), class_="scroll", role="region", tabindex=0, aria_label=label)
