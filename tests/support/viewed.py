"""A catalogue of invented recordings with hostile names, its site, and a server that runs in a thread."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np

from cgdmer.delineation.measurements import NAMES
from cgdmer.page import printout
from cgdmer.signals import LEADS
from cgdmer.viewer.catalogue import About, Catalogue, Entry, Refused, Title
from cgdmer.viewer.server import Server
from cgdmer.viewer.site import Dropped, FolderSite
from support import example_recordings as example

HOSTILE = (
    "<img src=x onerror=document.title='owned'>.hea",
    '"\' onmouseover="alert(1)" x=\'.npy',
    "</script><script>document.title='owned'</script>.npy",
    "\u202egpj.exe \u05d0\u05d1\u05d2.npy",
    "a\nb\tc.hea",
    "=HYPERLINK(1).hea",
    "心电图 " + "long" * 50 + ".hea",
)
TITLES = {
    "probe/ptb_xl_super/NORM": Title("PTB-XL Super", "normal ecg", "NORM", is_listed=True),
    "probe/ptb_xl_super/MI": Title("PTB-XL Super", "myocardial infarction", "MI", is_listed=True),
    "zero_shot/AFIB": Title("Cosines with prompts", "atrial fibrillation", "AFIB", is_probability=False),
}
COMPARED = ("probe/ptb_xl_super/MI",)
"""Columns with percentiles."""


def entry(name: str, number: int) -> Entry:
    """Return a recording; each has other numbers, and the second was not measured."""
    draw = np.random.default_rng(number)
    values = {each: float(draw.normal(100, 30)) for each in NAMES} if number != 1 else {}
    scores = dict(zip(TITLES, draw.uniform(size=len(TITLES)).tolist(), strict=True))
    missing = ("V5", "V6") if number == 2 else ()
    quality = "ok" if number != 3 else "clipped 3%; <b>flat</b> V1"
    features = draw.normal(size=8).astype(np.float32)
    return Entry(name, 10.0, missing, quality, scores, values, features, dict.fromkeys(COMPARED, 10.0 * number + 0.5))


def catalogue(names=HOSTILE) -> Catalogue:
    about = About("cgdmer_base 0123", TITLES, ("the encoder saw SIMULATED recordings only",), compared=COMPARED)
    refused = [Refused("<b>bad</b>.edf", "is not EDF: <script>document.title='owned'</script>")]
    return Catalogue(about, [entry(name, number) for number, name in enumerate(names)], refused)


def drawing(name: str = "example") -> str:
    return printout.standalone(name, example.millivolt(seconds=10.0) * 1000, example.FS, LEADS)


def read(files: dict[str, bytes]) -> list[Dropped | Refused]:
    """Take a file whose content is `good` for a recording."""
    return [
        Dropped(entry(name, 9), drawing(), "") if content == b"good" else Refused(name, "it is not good")
        for name, content in files.items()
    ]


def site() -> FolderSite:
    return FolderSite(catalogue(), lambda number: (drawing(), "") if number != 1 else (None, "it is gone"), read)


@contextmanager
def serving(pages: object) -> Iterator[Server]:
    """Run a server in a thread while the block runs."""
    server = Server(0, pages)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except KeyboardInterrupt as error:
            ended.append(error)

    def end() -> None:
        raise KeyboardInterrupt

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server
    finally:
        server._work.put((end, Future()))
        thread.join(20)
        assert len(ended) == 1
