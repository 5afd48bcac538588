"""A clone of the project with the paper profile, in which `dvc repro` runs, is measured, killed and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rehearsal import meter
from benchmarks.rehearsal.growth import records_of
from cgdmer import settings
from cgdmer.report.rehearsal import Call, Kill
from cgdmer.settings.profiles import flat

ROOT = Path(__file__).resolve().parents[2]
SPLITS = {"corpora": {"cpsc2018": {"splits": "hash"}, "csn": {"splits": "hash"}}}
"""There is no network to fetch the published splits from, and simulated records are not in them."""
CHANGES: dict[str, Any] = {
    "model": {
        "patch": 250, "width": 32, "depth": 1, "heads": 2, "stem": 2, "decoder_width": 16, "decoder_depth": 1,
        "decoder_heads": 2, "projection": 32, "text": None, "text_revision": None, "text_frozen_layers": 0,
        "text_width": 32, "text_depth": 1, "text_heads": 2,
    },
    "train": {"epochs": 1, "batch": 64, "compile": False, "checkpoint_steps": 20},
    "signal": {"verify_checksums": True},
    "matrix": {"controls": ["handcrafted"], "probed": ["cgdmer", "handcrafted"], "robustness": ["cgdmer"]},
    "probe": {"seeds": 1, "bootstrap": 100},
    "robustness": {"lead_sets": [["I", "II"]], "disturbances": [{"kind": "white", "mv": 0.1}]},
}  # fmt: skip
"""Over the paper profile: a model for a CPU, a report encoder of its own because there is no network, checkpoints that
the shorter training reaches, fewer controls and repetitions of probes, which encode every record again, and the check
of header checksums, which a planted fault needs."""
SHIM = """#!/bin/sh
case "$2 $3" in
"cgdmer run") shift 3; exec {python} {meter} {log} "$*" {python} -m cgdmer run "$@" ;;
esac
exec {python} "$@"
"""
"""Stands for `python` in the commands of dvc.yaml."""
KILLED_IN = {
    "shards mimic_iv_ecg": ".cgdmer/work/shards/mimic_iv_ecg/*/*.json",
    "pretrain": ".cgdmer/work/pretrain/*/step-*.json",
}
"""Stages that are killed, each once, and the file that shows that one is in the middle: the note beside a finished
shard, or a checkpoint. The next run goes on from it."""
BETWEEN = "dvc"
"""What was killed if no stage was running."""
POLL = 0.05
"""Seconds between two looks at whether a stage can be killed."""
MEASURED = ("wall_s", "cpu_s", "memory_mb", "process_mb", "read_mb", "written_mb")


@dataclass(frozen=True)
class Project:
    """A clone in `folder` that reads the corpora in `mirror`."""

    folder: Path
    mirror: Path
    until: str = ""
    """The last stage to run; all if empty."""

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log.jsonl")

    @property
    def environment(self) -> dict[str, str]:
        shim = self.folder.with_suffix(".bin")
        path = os.pathsep.join([str(shim), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder), "CGDMER_RAW_ROOT": str(self.mirror)}

    def create(self) -> None:
        """Clone the last commit and write the settings."""
        subprocess.run(["git", "clone", "--quiet", ROOT, self.folder], check=True)
        shim = self.folder.with_suffix(".bin") / "python"
        shim.parent.mkdir()
        words = {"python": sys.executable, "meter": Path(meter.__file__).resolve(), "log": self.log}
        shim.write_text(SHIM.format(**words))
        shim.chmod(0o755)
        params = self.folder / "params.yaml"
        _write(params, settings.merge(settings.read(params), SPLITS))
        profile = [sys.executable, "-m", "cgdmer", "profile", "paper", "--keep"]
        subprocess.run(profile, cwd=self.folder, env=self.environment, check=True)
        _write(params, settings.merge(settings.read(params), CHANGES))

    def changes(self) -> list[str]:
        """Return `key: value, not value of the paper profile` for each setting that differs."""
        base = settings.read(self.folder / "params/demo.yaml")
        paper = flat(settings.merge(base, settings.read(self.folder / "params/paper.yaml")))
        ours = flat(settings.read(self.folder / "params.yaml"))
        return [
            f"{'.'.join(key)}: {ours.get(key)}, not {paper.get(key)}" for key in ours if ours[key] != paper.get(key)
        ]

    def repro(self, label: str) -> "subprocess.Popen[bytes]":
        """Start a measured `dvc repro` as the leader of a process group; its output goes to a file."""
        words = [sys.executable, meter.__file__, str(self.log), label, "dvc", "repro", *self.until.split()]
        with self.folder.with_suffix(f".{label}.txt").open("wb") as output:
            return subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def run(self, label: str) -> None:
        """Run `dvc repro` to its end; RuntimeError with its last output if it fails."""
        process = self.repro(label)
        if process.wait():
            text = self.folder.with_suffix(f".{label}.txt").read_text(errors="replace")
            raise RuntimeError(f"dvc repro ended with {process.returncode}:\n{text[-4000:]}")

    def killed_in(self, label: str, name: str, written: str) -> Kill:
        """Run `dvc repro` until a stage has written a file that the pattern `written` matches; kill all processes then.

        Returns what was killed. That is not the stage if it ended without such a file, because it had too few records.
        """
        before = len(self.entries())
        process = self.repro(label)
        while not self._to_be_killed(self.entries()[before:], name, written):
            if process.poll() is not None:
                raise RuntimeError(f"dvc repro ended with {process.returncode} before {name} could be killed")
            time.sleep(POLL)
        os.killpg(process.pid, signal.SIGKILL)
        killed_at = time.time()
        process.wait()
        wait_for_group(process.pid)
        return killed(self.entries()[before:], label, killed_at)

    def _to_be_killed(self, entries: list[dict[str, Any]], name: str, written: str) -> bool:
        """Return True if a stage has ended, or has begun and has written a file that the pattern matches."""
        events = {entry["event"] for entry in entries if entry["label"] == name}
        return "end" in events or ("begin" in events and any(self.folder.glob(written)))

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the log, without a line that is being written."""
        lines = self.log.read_text().splitlines(keepends=True) if self.log.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


def killed(entries: list[dict[str, Any]], label: str, at: float) -> Kill:
    """Return the stage of a `dvc repro` with this label that was running when it was killed, and for how long."""
    running: dict[str, float] = {}
    for entry in entries:
        if entry["event"] == "begin":
            running[entry["label"]] = entry["time"]
        elif entry["event"] == "end":
            running.pop(entry["label"], None)
    whole = running.pop(label, at)
    name, begun = next(iter(running.items()), (BETWEEN, whole))
    return Kill(name, round(at - begun, 1))


def totals(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each label took over all its attempts; of one that was killed, what it had taken before."""
    whole: dict[str, dict[str, Any]] = {}
    attempts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "begin" and entry["label"] in attempts:
            _add(whole.setdefault(entry["label"], {}), attempts.pop(entry["label"]))
        elif entry["event"] != "begin":
            attempts[entry["label"]] = entry
    for label, entry in attempts.items():
        _add(whole.setdefault(label, {}), entry)
    return whole


def _add(total: dict[str, Any], entry: dict[str, Any]) -> None:
    """Add time and bytes of an attempt, and keep the larger memory."""
    for key in (*MEASURED, "command_mb"):
        together = max if key in ("memory_mb", "process_mb", "command_mb") else sum
        total[key] = round(together((total.get(key, 0.0), entry[key])), 3)


def calls(entries: list[dict[str, Any]], label: str, corpora: dict[str, int]) -> list[Call]:
    """Return the calls of all stages, and as `dvc` the rest of the `dvc repro` with this label."""
    stages = totals(entries)
    whole = stages.pop(label)
    added = ("wall_s", "cpu_s", "read_mb", "written_mb")
    rest = {key: round(max(0.0, whole[key] - sum(one[key] for one in stages.values())), 3) for key in added}
    memory = {"memory_mb": whole["command_mb"], "process_mb": whole["command_mb"]}
    return [_call(name, values, corpora) for name, values in {**stages, "dvc": {**rest, **memory}}.items()]


def _call(name: str, values: dict[str, Any], corpora: dict[str, int]) -> Call:
    return Call(name=name, records=records_of(name, corpora), **{key: values[key] for key in MEASURED})


def wait_for_group(group: int) -> None:
    """Wait until no process of a killed group is left: DVC takes locks of one that still exists for held."""
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110))
