"""The pages of the server: the list, recordings, their drawings, the table, and files that were dropped."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cgdmer.page import Child, Html, el, section
from cgdmer.recordings import plausibility
from cgdmer.recordings.discovery import SUFFIXES
from cgdmer.viewer import columns, index_page, pages, recording_page
from cgdmer.viewer.catalogue import Catalogue, Entry, Refused
from cgdmer.viewer.server import MAX_UPLOAD, Answer
from cgdmer.viewer.uploads import files_of

KEPT = 32
"""Dropped recordings that are remembered, the newest."""
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TABLE = "recordings.csv"


@dataclass(frozen=True, eq=False)
class Dropped:
    """A dropped recording with its drawing, or why there is none."""

    entry: Entry
    svg: str | None
    why: str


class FolderSite:
    """The recordings of a catalogue, and what was dropped since; nothing of that is written to a disk here.

    `draw` returns the drawing of a recording of the folder, or why there is none; `read` examines dropped files.
    """

    def __init__(
        self, catalogue: Catalogue, draw: Callable[[int], tuple[str | None, str]],
        read: Callable[[dict[str, bytes]], list[Dropped | Refused]],
    ) -> None:  # fmt: skip
        self._catalogue, self._draw, self._read = catalogue, draw, read
        self._dropped: dict[int, Dropped] = {}
        self._refused: list[Refused] = []
        self._next = 0

    def get(self, address: str) -> Answer | None:
        """Return a page: '' is the list; None for an unknown address."""
        if address == "":
            return self._index()
        if address == TABLE:
            return Answer(columns.table(self._catalogue), "text/csv", download=TABLE)
        if not (match := re.fullmatch(r"(recording|dropped)/([0-9]{1,7})(\.svg)?", address)):
            return None
        number, picture = int(match[2]), bool(match[3])
        known = number < len(self._catalogue.entries) if match[1] == "recording" else number in self._dropped
        if not known:
            return None
        return self._recording(number, picture) if match[1] == "recording" else self._drop_page(number, picture)

    def drop(self, names: str, content: bytes) -> Answer:
        """Examine the files and remember the recordings among them."""
        examined = self._read(files_of(names, content))
        self._refused = [one for one in examined if isinstance(one, Refused)]
        for one in examined:
            if isinstance(one, Dropped):
                self._dropped[self._next] = one
                self._next += 1
        self._dropped = dict(list(self._dropped.items())[-KEPT:])
        return Answer("", "text/plain")

    def _index(self) -> Answer:
        scripts = (pages.TABLE, pages.DROP)
        policy = pages.policy(scripts, connect="'self'")
        before = [_drop_box(), self._dropped_list(), index_page.refused(self._refused, "refused-drops")]
        around = index_page.Surroundings(lambda place: f"recording/{place}", policy, scripts, TABLE, before)
        return Answer(index_page.render(self._catalogue, around), policy=policy)

    def _dropped_list(self) -> Html | None:
        if not self._dropped:
            return None
        rows = [
            el("li", el("a", pages.name_of(one.entry.name), href=f"dropped/{number}", class_="name"), " ",
               pages.badge(one.entry.quality, plausibility.NOTHING))
            for number, one in reversed(self._dropped.items())
        ]  # fmt: skip
        return section("dropped", "Dropped recordings", el("ul", rows, class_="plain"))

    def _recording(self, number: int, picture: bool) -> Answer:
        if picture:
            svg, why = self._draw(number)
            return _svg(svg, why)
        return self._page(self._catalogue.entries[number], f"{number}.svg", "", number)

    def _drop_page(self, number: int, picture: bool) -> Answer:
        one = self._dropped[number]
        if picture:
            return _svg(one.svg, one.why)
        return self._page(one.entry, f"{number}.svg" if one.svg is not None else None, one.why, None)

    def _page(self, entry: Entry, picture: str | None, why: str, number: int | None) -> Answer:
        policy = pages.policy([pages.PAPER], images=" 'self'")
        place = recording_page.Place("../", lambda row: f"../recording/{row}", number, policy)
        return Answer(recording_page.render(self._catalogue, entry, picture, why, place), policy=policy)


def _svg(svg: str | None, why: str) -> Answer:
    if svg is None:
        return Answer(f"The recording cannot be drawn: {why}", "text/plain", 404)
    return Answer(svg, "image/svg+xml", policy=SVG_POLICY)


def _drop_box() -> Child:
    """Return where files are dropped or chosen; the script sends them."""
    return el(
        "div",
        el("label", "Drop recordings anywhere on this page, or choose them:", for_="files"),
        el("input", type="file", id="files", multiple=True),
        el("p", f"{', '.join(SUFFIXES)} or .zip; a header with its signal file. They are read and not kept."),
        el("p", role="status"),
        class_="drop", data_limit=MAX_UPLOAD,
    )  # fmt: skip
