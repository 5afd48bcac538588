"""The hostile corpus through the real CLI: no traceback, no hang, no unbounded memory, nothing accepted in silence."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hostile import command_lines, recordings
from support import example_recordings as example

from cgdmer import cli

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("driver.py")
SECONDS, GROWTH = 45.0, 3 << 30
"""Longest case, on a machine that does other work too, and most memory beyond the first case's."""
SAID = 100_000
"""Characters of the longest error."""
PARTS = 4
"""Processes that share the command lines; each stays far from its time limit on a busy machine."""


def drive(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run command lines in one process of the real CLI and return what each did."""
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CGDMER_", "MLFLOW_"))}
    environment |= {"CGDMER_EXECUTOR": "serial", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder / "cases.json")],
        env=environment, capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(results) == len(cases), f"ended at {results[-1]['name'] if results else 'once'}: {done.stderr[-2000:]}"
    return results


def faults(results: list[dict[str, Any]]) -> list[str]:
    """Return the cases that hang, leave a traceback, need too much memory or say too much."""
    first = results[0]["peak"]
    return [
        f"{case['name']}: {case['fault'][-400:]} code {case['code']}, {case['seconds']:.0f} s, said {case['said']}, "
        f"memory {case['peak'] >> 20} MiB"
        for case in results
        if case["fault"]
        or "Traceback" in case["err"]
        or case["seconds"] > SECONDS
        or case["said"] > SAID
        or case["peak"] > first + GROWTH
    ]


def words(given: list[str]) -> list[str]:
    return [os.fsencode(str(example.model()) if word == "MODEL" else word).hex() for word in given]


def place(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def main_file(files: dict[str, bytes]) -> str:
    """Return the file of a case that is given to `plot`: the header before its signal, the array before its sidecar."""
    order = [".hea", ".edf", ".dcm", ".xml", ".scp", ".npy", ".csv", ".mat", ".zip", ".dat"]
    return min((name for name in files if not name.endswith(".json")), key=lambda name: order.index(Path(name).suffix))


def test_there_are_at_least_three_hundred_cases():
    assert len(recordings.all_cases()) + len(command_lines.all_cases()) >= 300


def test_hostile_recordings_are_rejected_or_doubtful_and_stop_no_other(tmp_path):
    corpus = recordings.all_cases()
    for name, files in corpus.items():
        place(tmp_path / "in" / name, files)
    good = [example.wfdb(tmp_path / "in" / folder, "good", seed=9) for folder in (" first", "~last")]
    paths = [str(tmp_path / "in"), *(str(path) for path in sorted((tmp_path / "in").rglob("*.zip")))]
    score = ["score", *paths, "--classes", "NORM", "--model", "MODEL", "-o"]
    cases = [
        {
            "name": "embed",
            "words": words(["embed", *paths, "--model", "MODEL", "-o", "e.csv"]),
            "folder": str(tmp_path),
        },
        {"name": "score", "words": words([*score, "s.parquet"]), "folder": str(tmp_path)},
    ]
    results = drive(tmp_path, cases)
    assert not [case for case in results if case["fault"] or "Traceback" in case["err"]]
    assert [case["code"] for case in results] == [6, 6]
    table = pl.read_parquet(tmp_path / "s.parquet")
    silent = table.filter(pl.col("quality") == "ok")["id"].to_list()
    assert sorted(silent) == sorted(map(str, good))
    with (tmp_path / "s.rejects.csv").open(newline="") as stream:
        rejected = {row["path"]: row["reason"] for row in csv.DictReader(stream)}
    assert all(reason and len(reason) < 1000 for reason in rejected.values())
    named = [*rejected, *table["id"]]
    unnamed = [name for name in corpus if not any(f"/in/{name}/" in path for path in named)]
    assert unnamed == ["dat without header"], "a folder search passes over the signal file of another record"


def test_each_hostile_recording_ends_a_plot_with_an_error_or_a_doubt(tmp_path):
    cases = []
    for number, (name, files) in enumerate(recordings.all_cases().items()):
        folder = place(tmp_path / str(number), files)
        cases.append({"name": name, "words": words(["plot", main_file(files)]), "folder": str(folder)})
    results = drive(tmp_path, cases)
    assert not (wrong := faults(results)), "\n".join(wrong)
    accepted = {case["name"]: Path(cases[place]["folder"]) for place, case in enumerate(results) if case["code"] == 0}
    silent = [name for name, folder in accepted.items() if "doubtful" not in (folder / "r.svg").read_text()]
    assert silent == []


def test_every_command_has_cases():
    named = {word for case in command_lines.all_cases() for word in case.words[:1]}
    assert named >= set(cli.parser().commands.parsers)


def test_each_case_has_its_own_name():
    names = [case.name for case in command_lines.all_cases()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("part", range(PARTS))
def test_each_hostile_command_line_ends_with_an_error(tmp_path, part):
    cases, made = [], {}
    for number, case in enumerate(command_lines.all_cases()[part::PARTS]):
        folder = tmp_path / str(number)
        example.wfdb(folder / "in", "r0")
        case.prepare(folder)
        made[case.name] = case
        line = {"name": case.name, "words": words(case.words), "folder": str(folder), "stdin": case.stdin.hex(),
                "environment": case.environment, "full": case.full}  # fmt: skip
        cases.append(line)
    results = drive(tmp_path, cases)
    wrong = faults(results)
    for result in results:
        case, said = made[result["name"]], result["err"] + result["out"]
        if result["code"] not in case.codes:
            wrong.append(f"{case.name}: code {result['code']}")
        if not said.strip() or case.says not in said:
            wrong.append(f"{case.name}: does not say '{case.says}' but: {said[-300:]}")
    assert not wrong, "\n".join(wrong)
