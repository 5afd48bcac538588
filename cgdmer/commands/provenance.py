"""Which recordings an encoder and its probes were fitted on: simulated, real or unknown.

The manifest of each corpus, in the project that holds the model or the probe, says where its recordings came from. A
file that was copied out of its project is of unknown origin, unless it is part of a packaged encoder, which states it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cgdmer.acquisition import manifest
from cgdmer.commands import encoder_choice
from cgdmer.errors import DataError
from cgdmer.files import read_json
from cgdmer.paths import raw
from cgdmer.sharing import about
from cgdmer.tables import TASKS

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 24
SIMULATED, REAL, MIXED, UNKNOWN = "simulated", "real", "simulated and real", "unknown"


@dataclass(frozen=True)
class Provenance:
    """The origin of the recordings that an encoder and each probe, by task, were fitted on."""

    encoder: str
    probes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the metadata of an output."""
        return {"encoder": self.encoder, "probes": dict(self.probes)}

    def warn(self) -> None:
        """Log a warning if the encoder or a probe has seen simulated recordings only."""
        if warning := self.warning():
            log.warning("%s", warning)

    def warning(self) -> str:
        """Return what to know of scores if the encoder or a probe has seen simulated recordings only, else ''."""
        named = ["the encoder"] if self.encoder == SIMULATED else []
        tasks = [task for task, origin in self.probes.items() if origin == SIMULATED]
        named += [f"the probe{'s' if len(tasks) > 1 else ''} of {', '.join(tasks)}"] if tasks else []
        if not named:
            return ""
        return (
            f"{' and '.join(named)} saw SIMULATED recordings only: on real recordings the scores are neither "
            "calibrated nor valid; fit a probe on your own labels: cgdmer fit --help"
        )


def of_model(model: str) -> str:
    """Return the origin of the recordings that an encoder was pretrained on, given its folder, `cgdmer-base` or `hf:`.

    The origin of an encoder of the hub is unknown until it has been downloaded; that of a registered one stays unknown.
    """
    folder = encoder_choice.folder(model) or (_downloaded(model) if model.startswith("hf:") else None) or Path(model)
    if stated := _stated(folder):
        return stated.encoder_saw
    config = folder / "config.json"
    facts = _content(config).get("facts")
    sources = facts.get("pool") if isinstance(facts, dict) else None
    if not sources and isinstance(facts, dict) and facts.get("simulated"):  # drawn while it trained
        return MIXED if facts.get("recordings") else SIMULATED
    return _origin(config, sources) if isinstance(sources, list) else UNKNOWN


def of_probe(path: Path, task: str) -> str:
    """Return the origin of the recordings that a probe was fitted on, given its file and its task."""
    if path.parent.name == about.PROBES and (stated := _stated(path.parent.parent)):
        return stated.probes_saw
    return _origin(path, [TASKS[task]] if task in TASKS else [])


def of_sources(sources: Sequence[str]) -> str:
    """Return the origin of the corpora of the project in the working directory."""
    return _origin(Path.cwd() / "data", sources)


def _downloaded(model: str) -> Path | None:
    from cgdmer.sharing import hub

    return hub.cached(model)


def _stated(folder: Path) -> about.About | None:
    """Return what a packaged encoder says of itself; None for another folder, or one that is damaged."""
    try:
        return about.read(folder)
    except DataError:
        return None


def _origin(file: Path, sources: Sequence[str]) -> str:
    ways = {_way(file.resolve().parents, str(source)) for source in sources}
    if not ways or "" in ways:
        return UNKNOWN
    return {frozenset({"simulate"}): SIMULATED}.get(frozenset(ways), MIXED if "simulate" in ways else REAL)


def _way(folders: Iterable[Path], source: str) -> str:
    """Return how the project around a file acquired a corpus; '' if no folder above the file is such a project."""
    for folder in folders:
        path = folder / raw(source) / manifest.NAME
        if path.is_file():
            return str(_content(path).get("way", ""))
    return ""


def _content(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file; an empty one if there is none."""
    try:
        content = read_json(path, MAX_BYTES)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
