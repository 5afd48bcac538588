"""`cgdmer view`: look at recordings in a browser on this machine."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cgdmer.commands import examination, report, scorer
from cgdmer.commands.examination import Inputs, Seen
from cgdmer.commands.page_scores import about
from cgdmer.commands.scorer import ScoreOptions, Scorer
from cgdmer.errors import ConfigError, DataError
from cgdmer.recordings import ArrayMetadata
from cgdmer.viewer.catalogue import Catalogue, Refused
from cgdmer.viewer.server import Server
from cgdmer.viewer.site import Dropped, FolderSite

MOST_DROPPED = 64
"""Recordings that are read of dropped files, for example of a zip."""


def view(inputs: Inputs, model: str | None, options: ScoreOptions, port: int, announce: Callable[[str], None]) -> int:
    """Examine the recordings, announce the address, and answer requests until Ctrl-C.

    ConfigError for impossible options or a port in use; DataError if no recording can be used.
    """
    report.check_start(inputs.start)
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}", allowed="0 for any free port, or up to 65535", fix="leave out --port")
    scoring = scorer.prepare(model, options, inputs.start)
    site = open_site(inputs, scoring)
    with _listening(port, site) as server:
        announce(f"{server.url}\nOnly this machine and only this address are answered. Ctrl-C ends it.")
        with suppress(KeyboardInterrupt):
            server.run()
    return 0


def _listening(port: int, site: FolderSite) -> Server:
    try:
        return Server(port, site)
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror}", allowed="a free port", fix="leave out --port") from error


def open_site(inputs: Inputs, scoring: Scorer) -> FolderSite:
    """Examine the recordings and return their pages; drawings are made when they are asked for."""
    found = examination.find(inputs)
    examined = list(examination.examine(found, inputs, scoring, label="view", draw=False))
    seen = [one for one in examined if isinstance(one, Seen)]
    refused = [one for one in examined if isinstance(one, Refused)]
    if not seen:
        raise report.none_usable(refused)

    def draw(number: int) -> tuple[str | None, str]:
        sheet = examination.draw_sheet(seen[number].path, inputs.metadata, inputs.start)
        return sheet.svg, sheet.why

    catalogue = Catalogue(about(scoring, inputs.start), [one.entry for one in seen], refused)
    return FolderSite(catalogue, draw, lambda files: read_dropped(files, inputs.metadata, inputs.start, scoring))


def read_dropped(
    files: dict[str, bytes], metadata: ArrayMetadata, start: float, scoring: Scorer
) -> list[Dropped | Refused]:
    """Examine files in a temporary folder, which is removed; a `.json` is read with the array beside it."""
    with TemporaryDirectory(prefix="cgdmer-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        paths = [str(Path(folder, name)) for name in files if not name.lower().endswith(".json")]
        inputs = Inputs(paths, metadata, start)
        try:
            found = examination.find(inputs)
        except DataError:
            return [Refused(name, "it holds no recording") for name in files]
        if len(found) > MOST_DROPPED:
            raise ConfigError(f"{len(found):,} recordings", allowed=f"at most {MOST_DROPPED} at once")
        examined = examination.examine(found, inputs, scoring, label="dropped files", draw=True)
        return [
            one if isinstance(one, Refused) else Dropped(one.entry, one.sheet.svg, one.sheet.why) for one in examined
        ]
