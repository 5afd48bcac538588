"""Whole pages with a strict content security policy: the browser runs the named scripts and nothing else."""

import unicodedata
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from cgdmer.page import Child, Html, el
from cgdmer.page.elements import style

NOTICE = "This is not a medical device. Nobody may diagnose or treat a person by what this page shows."
TABLE, PAPER, DROP = "table.js", "paper.js", "drop.js"
"""The scripts: sorting, zoom and calipers, dropping files."""
_HIDDEN = frozenset("\u061c\u200e\u200f\u2028\u2029\ufeff") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


@cache
def asset(name: str) -> Html:
    """Return a style sheet or a script of this package."""
    return Html(files("cgdmer.viewer").joinpath(name).read_text(encoding="utf-8"))


def styles() -> Html:
    return Html(style() + asset("style.css"))


def policy(scripts: Sequence[str], *, images: str = "", connect: str = "'none'") -> str:
    """Return the policy of a page: its own style sheet, the named scripts by their sha256, no other source."""
    allowed = " ".join(_hash(asset(name)) for name in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(styles())}; img-src data:{images}; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def document(title: str, *body: Child, scripts: Sequence[str], policy: str) -> str:
    """Return a whole page; it makes no request but for images that the policy allows."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="robots", content="noindex"),
        el("link", rel="icon", href="data:,"),
        el("title", title),
        el("style", styles()),
    )
    programs = [el("script", asset(name)) for name in scripts]
    return f"<!DOCTYPE html>\n{el('html', head, el('body', *body, programs), lang='en')}\n"


def notice(warnings: Sequence[str]) -> Html:
    """Return what every page says: that it is no medical device, and what to know of its scores."""
    sentences = [el("p", _sentence(text)) for text in warnings]
    return el("div", el("p", el("strong", NOTICE)), sentences, class_="note warn", role="note")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def count(number: int, thing: str) -> str:
    """Return a number of things, such as "1 file" or "2 files"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def visible(name: str) -> str:
    """Return a name in which control characters, also those that reverse the direction of text, are seen as codes."""
    return "".join(f"\\u{ord(sign):04x}" if _is_hidden(sign) else sign for sign in name)


def _is_hidden(sign: str) -> bool:
    return sign in _HIDDEN or unicodedata.category(sign) in ("Cc", "Cs")


def name_of(name: str) -> Html:
    """Return the name of a file, from left to right and isolated from the text around it."""
    return el("bdi", visible(name), dir="ltr")


def badge(quality: str, fine: str) -> Html:
    """Return the quality of a recording as a badge; `fine` is what it says without doubts."""
    return el("span", quality, class_=f"badge {'good' if quality == fine else 'warn'} wrap")
