"""The program `dvc`, the stages of dvc.yaml, and which of them wait for which."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

from cgdmer.errors import DataError

STAGE = re.compile(r'^"([^"]+)";$', re.MULTILINE)
EDGE = re.compile(r'^"([^"]+)" -> "([^"]+)";$', re.MULTILINE)


@dataclass(frozen=True)
class Graph:
    """What each stage needs: the stages whose outputs it reads."""

    needs: Mapping[str, frozenset[str]]
    """In the order of dvc.yaml."""

    def ready(self, waiting: Collection[str], done: Collection[str]) -> str | None:
        """Return the waiting stage to start next, the one with the longest chain behind it; None if all need others."""
        ready = [stage for stage in self.needs if stage in waiting and self.needs[stage].issubset(done)]
        return max(ready, key=lambda stage: self._chain[stage], default=None)

    @cached_property
    def _chain(self) -> dict[str, int]:
        """The length of the longest chain of stages that depends on each stage."""
        chain = dict.fromkeys(self.needs, 0)
        for stage in reversed(list(TopologicalSorter(self.needs).static_order())):
            for needed in self.needs[stage]:
                chain[needed] = max(chain[needed], chain[stage] + 1)
        return chain


def dvc() -> str:
    """Return the program `dvc`: the first on the path, else the one beside this Python."""
    beside = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    if (program := shutil.which("dvc", path=beside)) is None:
        raise DataError("dvc is not installed", fix="pip install 'cgdmer[pipeline]'")
    return program


def read(dvc: str) -> Graph:
    """Ask the program `dvc` for the graph of the working directory; DataError with its reason if there is none."""
    done = subprocess.run([dvc, "dag", "--dot"], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().removeprefix("ERROR: ").splitlines() or ["no reason given"]
        raise DataError(
            f"DVC cannot read the pipeline: {reason[0]}",
            fix="cd to the folder that holds dvc.yaml; there, `dvc dag` prints the graph",
        )
    return parse(done.stdout)


def parse(dot: str) -> Graph:
    """Return the graph that `dvc dag --dot` printed."""
    needs: dict[str, set[str]] = {stage: set() for stage in STAGE.findall(dot)}
    for needed, stage in EDGE.findall(dot):
        needs[stage].add(needed)
    return Graph({stage: frozenset(names) for stage, names in needs.items()})
