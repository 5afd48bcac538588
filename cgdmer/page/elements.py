"""HTML building blocks that escape by default; only `Html` passes unescaped."""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TypeAlias, Union

from cgdmer.page import series

VOID = frozenset({"br", "hr", "img", "meta", "link", "line", "rect", "circle", "path", "use"})
"""Elements without content, written `<br/>`, which is valid in HTML and in SVG."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy of every page: the browser blocks every network request and every script."""

Child: TypeAlias = Union[str, int, float, Iterable["Child"], None]  # noqa: UP007 - a forward reference cannot be joined with |


class Html(str):
    """Markup that is already safe; every other string is escaped when it becomes a child."""

    __slots__ = ()


def safe(child: Child) -> Html:
    """Return a child as markup: text escaped, None dropped, sequences joined."""
    if child is None:
        return Html()
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int | float):
        return Html(escape(str(child)))
    return Html("".join(safe(item) for item in child))


def el(tag: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Return one element; `class_` becomes `class`, `stroke_width` `stroke-width`; None and False are left out."""
    words = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = name.rstrip("_").replace("_", "-")
        words.append(attribute if value is True else f'{attribute}="{escape(str(value))}"')
    head = " ".join(words)
    return Html(f"<{head}/>") if tag in VOID else Html(f"<{head}>{safe(children)}</{tag}>")


def number(value: float | None, digits: int = 0) -> str:
    """Format a number with thousands separators; None becomes an en dash."""
    return "–" if value is None else f"{value:,.{digits}f}"


def shorten(text: str, length: int) -> str:
    """Cut a text to `length` characters, the last of them an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


class Drawing(Html):
    """An SVG element with its size and its content, so that it can become part of a larger one."""

    width: float
    height: float
    inside: Html


def svg(label: str, width: float, height: float, *children: Child, class_: str = "chart") -> Drawing:
    """Return a drawing that scales with its column; `label` describes it to screen readers."""
    box, inside = f"0 0 {width:g} {height:g}", safe(children)
    drawing = Drawing(el("svg", el("title", label), inside, viewBox=box, role="img", aria_label=label, class_=class_))
    drawing.width, drawing.height, drawing.inside = width, height, inside
    return drawing


def figure(content: Child, caption: Child, *, class_: str | None = None) -> Html:
    return el("figure", content, el("figcaption", caption), class_=class_)


def section(anchor: str, title: str, *children: Child, lead: Child = None) -> Html:
    """Return a titled section that can be linked to; `lead` is its one-sentence message."""
    heading = el("h2", title, id=f"{anchor}-title")
    opening = el("p", lead, class_="lead") if lead else None
    return el("section", heading, opening, *children, id=anchor, aria_labelledby=f"{anchor}-title")


def table(caption: str, head: Sequence[Child], rows: Iterable[Sequence[Child]], *, text: Sequence[int] = (0,)) -> Html:
    """Return a table that scrolls on a narrow screen; columns outside `text` hold numbers and are aligned right."""
    kind = [None if column in text else "number" for column in range(len(head))]
    top = el("tr", [el("th", cell, scope="col", class_=kind[i]) for i, cell in enumerate(head)])
    body = [
        el("tr", [_cell(cell, first=i == 0, class_=kind[i]) for i, cell in enumerate(row)])
        for row in rows
    ]  # fmt: skip
    content = el("table", el("caption", el("span", caption)), el("thead", top), el("tbody", body))
    return el("div", content, class_="scroll", role="region", tabindex=0, aria_label=caption)


def _cell(content: Child, *, first: bool, class_: str | None) -> Html:
    return el("th", content, scope="row", class_=class_) if first else el("td", content, class_=class_)


def tiles(facts: Sequence[tuple[str, Child]]) -> Html:
    """Return a row of headline figures: the value above, its name below."""
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in facts], class_="tiles")


@cache
def style() -> Html:
    """Return the style sheet; the colours of series come first, so that a line can be without a fill."""
    return Html(series.page_rules() + "\n" + files("cgdmer.page").joinpath("style.css").read_text(encoding="utf-8"))


def document(title: str, *body: Child, description: str) -> str:
    """Return a whole page without scripts or requests, light or dark by the reader's setting."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="description", content=description),
        el("title", title),
        el("style", style()),
    )
    return f"<!DOCTYPE html>\n{el('html', head, el('body', *body), lang='en')}\n"
