"""Progress of training: the step log as JSON lines, the learning curve, and the progress bar."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cgdmer.files import write_text
from cgdmer.progress import progress

LogMetrics = Callable[[int, Mapping[str, float]], None]
"""Called with a step and its metrics, for a tracking server."""
TIMING = ("records_per_s", "wait_share")
"""Metrics that differ between equal runs, and so must stay out of every versioned file."""


class StepLog:
    """One JSON object per line: `{"kind": "train" | "held_out", "step", "epoch", ...terms}`; steps count from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def cut(self, step: int) -> None:
        """Remove what came after `step`, because a resumed run repeats it, and a torn last line."""
        lines = [line for line in self._lines() if line["step"] <= step]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in lines))

    def add(self, kind: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"kind": kind, "step": step, "epoch": epoch, **values}) + "\n")

    def sync(self) -> None:
        """Force the lines to the disk, before the checkpoint that relies on them is written."""
        with self.path.open("a", encoding="utf-8") as stream:
            os.fsync(stream.fileno())

    def read(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of one kind, in order."""
        return [line for line in self._lines() if line["kind"] == kind]

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        lines = []
        for text in self.path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                break
        return lines


def curve(lines: list[dict[str, Any]], window: int) -> list[dict[str, float]]:
    """Average training lines over windows of steps; timing is left out, so equal runs give equal curves."""
    rows = []
    for begin in range(0, len(lines), window):
        steps = lines[begin : begin + window]
        names = [name for name in steps[0] if name not in ("kind", "step", "epoch", "lr", *TIMING)]
        last = {name: steps[-1][name] for name in ("step", "epoch", "lr")}
        rows.append(last | {name: sum(line[name] for line in steps) / len(steps) for name in names})
    return rows


class Bar:
    """A progress bar with loss, terms, records/s and the time left; only rank 0 shows it."""

    def __init__(self, total: int, begin: int, shown: bool) -> None:
        self.bar = progress(total=total, initial=begin, unit="step", desc="training", shown=shown, at_once=True)

    def __call__(self, values: Mapping[str, float]) -> None:
        shown = {name: f"{value:.3g}" for name, value in values.items() if name not in ("lr", "wait_share")}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def close(self) -> None:
        self.bar.close()
