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
KILLED_IN = {"shards mimic_iv_ecg": 6.0, "pretrain": 10.0}
"""Stages that are killed, each once, after so many seconds at 10,000 records."""
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

    def killed_in(self, label: str, name: str, after: float) -> Kill:
        """Run `dvc repro` until a stage has run for some seconds, then kill all processes; return what was killed.

        That is a later stage if this one ended sooner.
        """
        process = self.repro(label)
        while not (begun := [one for one in self.entries() if one["event"] == "begin" and one["label"] == name]):
            if process.poll() is not None:
                raise RuntimeError(f"dvc repro ended with {process.returncode} before {name} began")
            time.sleep(0.1)
        time.sleep(max(0.0, begun[-1]["time"] + after - time.time()))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_for_group(process.pid)
        last = [one for one in self.entries() if one["event"] == "begin"][-1]
        return Kill(last["label"], round(time.time() - last["time"], 1))

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the log, without a line that is being written."""
        lines = self.log.read_text().splitlines(keepends=True) if self.log.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


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
