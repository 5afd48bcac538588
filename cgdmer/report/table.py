"""A table of results and its three renderers: HTML for the benchmark page, Markdown, and text for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cgdmer import page
from cgdmer.page import Child, Html, el
from cgdmer.results import Cell, Interval


@dataclass(frozen=True)
class Changed:
    """A value and its difference from another one."""

    value: Interval
    difference: Interval


@dataclass(frozen=True)
class Marked:
    """A value with a mark that the caption explains."""

    value: Interval
    mark: str


SEEN_MARK = "†"
"""Mark of a number on a corpus that pretraining has read."""
OTHERS_MARK = "‡"
"""Mark of a number of a published encoder whose training has used the corpus, test patients among them."""


@dataclass(frozen=True)
class Stacked:
    """Several lines; the first is the main one."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """A digest or a version."""

    text: str


@dataclass(frozen=True)
class Badge:
    """A verdict with its tone (good, warn or bad), a note and a link to the details."""

    text: str
    tone: str
    note: str
    href: str


Content: TypeAlias = str | Interval | Changed | Marked | Stacked | Code | Badge | None
"""What a table cell holds; None where there is no result."""


def stacked(*lines: str) -> Stacked:
    """Return the lines as the content of one table cell."""
    return Stacked(lines)


@dataclass(frozen=True)
class Table:
    """A caption, one head and the rows; the first column names the row."""

    caption: str
    head: Sequence[str | Stacked]
    rows: Sequence[Sequence[Content]]
    text: tuple[int, ...] = (0,)
    """Columns that hold words and are aligned left."""


def html(table: Table) -> Html:
    """Return a table that scrolls by itself on a narrow screen."""
    head, rows = [_child(name) for name in table.head], [[_child(content) for content in row] for row in table.rows]
    return page.table(table.caption, head, rows, text=table.text)


def _child(content: Content) -> Child:
    match content:
        case Code(text):
            return el("code", text)
        case Badge(text, tone, note, href):
            link = el("small", el("a", "in full", href=href), class_="below")
            return [el("span", text, class_=f"badge {tone}"), _below(note) if note else None, link]
    first, *others = _lines(content)
    return [first, *map(_below, others)]


def _below(line: str) -> Html:
    return el("small", line, class_="below")


def _lines(content: Content) -> tuple[str, ...]:
    match content:
        case Cell(by_weights=list(values)):
            return content.value(), content.bounds(), _spread(values)
        case Interval():
            return content.value(), content.bounds()
        case Changed(value, difference):
            return value.value(), difference.value(signed=True), difference.bounds(signed=True)
        case Marked(value, mark):
            first, *others = _lines(value)
            return (first + mark, *others)
        case Stacked(lines):
            return lines
        case Code(text) | Badge(text):
            return (text,)
    return ("–" if content is None else content,)


def _spread(values: Sequence[float]) -> str:
    """Write the range over the sets of weights of a random control."""
    return f"{len(values)} draws: {min(values):.3f} to {max(values):.3f}"


def markdown(table: Table) -> str:
    """Return the caption and a Markdown table."""
    return f"{table.caption}\n\n{grid(table)}" if table.caption else grid(table)


def grid(table: Table) -> str:
    """Return a Markdown table without its caption; pipes in cells are escaped."""
    lines = [[_inline(name) for name in table.head], ["---"] * len(table.head)]
    lines += [[_inline(content) for content in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _inline(content: Content) -> str:
    match content:
        case Cell(by_weights=list(values)):
            return f"{content.text()}, {_spread(values)}"
        case Interval():
            return content.text()
        case Changed(value, difference):
            return f"{value.value()}, {difference.text(signed=True)}"
        case Marked(value, mark):
            return _inline(value).replace(value.value(), value.value() + mark, 1)
        case Code(text):
            return f"`{text}`"
    return ", ".join(_lines(content))


def text(table: Table) -> str:
    """Return the caption and aligned columns; the lines of a stacked column head stand below each other."""
    heads = [_lines(name) for name in table.head]
    height = max(map(len, heads))
    lines = [[head[row] if row < len(head) else "" for head in heads] for row in range(height)]
    lines += [[_narrow(content) for content in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join([table.caption, *("  ".join(line).rstrip() for line in padded)])


def _narrow(content: Content) -> str:
    if isinstance(content, Marked):
        return content.value.compact().replace(" ", f"{content.mark} ", 1)
    return "-" if content is None else content.compact() if isinstance(content, Interval) else _inline(content)
