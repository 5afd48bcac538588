"""Rehearse the paper profile at size: simulated corpora in PhysioNet's layout, `dvc repro` from `acquire` to `report`.

Run: python -m benchmarks.rehearsal --records N [--folder DIR] [--kill] [--faults]
Every stage is measured with all its processes. Results are merged into `reports/rehearsal.json` by number of records.
`--faults` plants faults in some records; each must be in quarantine with a reason in the end. `--kill` kills all
processes in the middle of two stages, `shards` and `pretrain`; the same command goes on, and what both attempts of a
stage took is added. It needs several shards and several checkpoints, so 10,000 records or more.
"""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.measuring import commit, machine
from benchmarks.rehearsal import corpora, faults
from benchmarks.rehearsal.growth import merged
from benchmarks.rehearsal.project import KILLED_IN, ROOT, Project, calls, totals
from cgdmer.files import read_json, write_json
from cgdmer.report.rehearsal import Fault, Kill, Rehearsal, Run

RESULT = ROOT / "reports/rehearsal.json"
SHORT = 7
"""Digits of the commit that are stored."""
LIBRARIES = ("dvc", "torch", "polars", "great_expectations", "scikit-learn")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal")
    parser.add_argument("--records", type=int, required=True, help="records of the simulated MIMIC-IV-ECG")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "rehearsal", help="scratch folder")
    parser.add_argument("--kill", action="store_true", help="kill the pipeline in two stages and let it go on")
    parser.add_argument("--faults", action="store_true", help="plant faults of every kind in some records")
    parser.add_argument("--until", default="", help="last stage to run, such as pretraining_set (default: all)")
    parser.add_argument("--result", type=Path, default=RESULT, help="file that the results are merged into")
    options = parser.parse_args()
    folder = options.folder / str(options.records)
    run = rehearse(options.records, folder, options.kill, options.faults, options.until)
    before = Rehearsal.from_json(read_json(options.result)) if options.result.is_file() else Rehearsal()
    rehearsal = merged(before, run)
    write_json(options.result, rehearsal.to_json())
    sys.stdout.write(text(run, rehearsal))
    sys.stdout.flush()
    shutil.rmtree(folder)
    return int(any(not fault.reason for fault in run.faults))


def rehearse(records: int, folder: Path, kill: bool, planted: bool, until: str = "") -> Run:
    """Write the corpora into a folder, run the pipeline on them and return what was measured.

    After a failure, the same command goes on in the folder.
    """
    mirror, sizes = folder / "mirror", corpora.counts(records)
    seconds, damaged = written(folder, mirror, sizes, planted)
    project = Project(folder / "project", mirror, until)
    if not project.folder.exists():
        project.create()
    changes = project.changes()
    note(f"{sizes} records written in {seconds:.0f} s; over the paper profile: {'; '.join(changes)}")
    kills = killed(project, folder / "kills.json") if kill else []
    note(f"killed: {', '.join(f'{one.name} after {one.after_s} s' for one in kills) or 'nothing'}")
    project.run("repro")
    entries = project.entries()
    project.run("again")
    whole, again = totals(entries)["repro"], totals(project.entries())["again"]
    note(f"dvc repro: {whole['wall_s']:.0f} s, again {again['wall_s']:.1f} s")
    measured = calls(entries, "repro", sizes)
    found = faults.quarantined(damaged, project.folder)
    return Run(
        records, sizes, f"{datetime.now(UTC):%Y-%m-%d}", commit(project.folder)[:SHORT], machine(),
        {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}, changes,
        raw_gb=round(size(mirror) / 1e9, 3), write_s=round(seconds, 1),
        repro_s=whole["wall_s"], again_s=again["wall_s"],
        until=until, calls=measured, kills=kills, faults=found,
    )  # fmt: skip


def killed(project: Project, done: Path) -> list[Kill]:
    """Kill the pipeline in each of the stages in which no earlier attempt killed it; return what was killed."""
    kills = [Kill.from_json(one) for one in read_json(done)] if done.is_file() else []
    for name, written in list(KILLED_IN.items())[len(kills) :]:
        kills.append(project.killed_in("repro", name, written))
        write_json(done, [kill.to_json() for kill in kills])
    return kills


def written(folder: Path, mirror: Path, sizes: dict[str, int], planted: bool) -> tuple[float, list[Fault]]:
    """Write the mirror unless it is complete; return the seconds that this took, and the planted faults."""
    done = folder / "written.json"
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.perf_counter()
        corpora.write(mirror, sizes)
        seconds = time.perf_counter() - begin
        damaged = [fault.to_json() for fault in (faults.plant(mirror) if planted else [])]
        write_json(done, {"seconds": seconds, "faults": damaged})
    content = read_json(done)
    return content["seconds"], [Fault.from_json(one) for one in content["faults"]]


def text(run: Run, rehearsal: Rehearsal) -> str:
    """Return the tables of one run and of all growth."""
    head = ("records", "wall s", "CPU s", "MB", "one MB", "read MB", "written", "rec/s")
    lines = [f"{'call':34} {' '.join(f'{name:>8}' for name in head)}"]
    for call in run.calls:
        rate = call.records / call.wall_s if call.wall_s else 0.0
        lines.append(
            f"{call.name:34} {call.records:8} {call.wall_s:8.1f} {call.cpu_s:8.1f} {call.memory_mb:8.0f} "
            f"{call.process_mb:8.0f} {call.read_mb:8.1f} {call.written_mb:8.1f} {rate:8.0f}"
        )
    lines.append(f"dvc repro {run.repro_s:.1f} s, without a change {run.again_s:.1f} s")
    lines += [f"{fault.kind}: {fault.reason or 'NOT IN QUARANTINE'}" for fault in run.faults]
    head = ("wall", "last", "CPU", "memory", "real", "hours", "CPU h", "MB")
    lines.append(f"{'exponents, and at the real size':34} {' '.join(f'{name:>8}' for name in head)}")
    lines += [
        f"{one.name:34} {one.wall:8.2f} {one.last_wall:8.2f} {one.cpu:8.2f} {one.memory:8.2f} {one.real:8} "
        f"{one.hours:8.3f} {one.cpu_hours:8.3f} {one.memory_mb:8.0f}"
        for one in rehearsal.growth
    ]
    return "\n".join([*lines, ""])


def note(message: str) -> None:
    sys.stderr.write(f"{datetime.now():%H:%M:%S} {message}\n")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
