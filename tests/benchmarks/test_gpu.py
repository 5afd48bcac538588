"""The GPU benchmark: its file, its judgement, failing parts, and its whole code with small sizes on a CPU."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from support import gpu_parts

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import exactness, training
from benchmarks.gpu.parts import WORKS
from benchmarks.gpu.plan import FULL, PLANS, SMOKE
from benchmarks.gpu.result import FAILED, OK, GpuReport, Machine, Measurement, Part, file_name, judged
from benchmarks.gpu.runner import LEFT_OVER, Work, run_all

ROOT = Path(__file__).resolve().parents[2]
MACHINE = Machine("NVIDIA A100-SXM4-80GB", 85.0, True, 16, "3.11.7", "2.13.0", "13.0", "580.1")


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-80gb.json"),
        ("NVIDIA GeForce RTX 4090", "nvidia-geforce-rtx-4090.json"),
        ("../../etc/passwd", "etc-passwd.json"),
        ("Tesla T4 (MIG 1g.5gb) / ü", "tesla-t4-mig-1g-5gb.json"),
        ("---", "device.json"),
        ("x" * 500, "x" * 100 + ".json"),
    ],
)
def test_the_name_of_a_device_becomes_a_safe_file_name(device, name):
    assert file_name(device) == name


def test_a_report_survives_its_file(tmp_path):
    parts = [
        Part("a", OK, 1.5, [Measurement("speed", 2.0, "records/s", 1.0, "plain")]),
        Part("b", FAILED, 0.1, error="x"),
    ]
    report = GpuReport(MACHINE, "2026-01-02", "abc+", FULL, 3.0, parts)
    path = report.write(tmp_path)
    assert path == tmp_path / "nvidia-a100-sxm4-80gb.json"
    assert GpuReport.from_json(json.loads(path.read_text())) == report
    assert report.failed == ["b"]


def test_a_missed_goal_fails_a_part_only_if_it_is_required():
    assert judged("speed", 1.0, gpu_parts.missed_goal(None)).state == OK
    part = judged("exact", 1.0, gpu_parts.inexact(None))
    assert (part.state, part.error) == (FAILED, "difference: 0.5, required: at most 1e-05")


@pytest.mark.long
def test_a_failing_part_leaves_the_others(tmp_path):
    names = ["sound", "raises", "dies", "hangs", "inexact", "missed_goal"]
    works = [Work(name, getattr(gpu_parts, name), 2.0 if name == "hangs" else 60.0) for name in names]
    parts = {part.name: part for part in run_all(works, PLANS[SMOKE], tmp_path, tmp_path, 600.0)}
    assert [part.state for part in parts.values()] == [OK, FAILED, FAILED, FAILED, FAILED, OK]
    assert parts["sound"].measurements == gpu_parts.sound(command.Bench(PLANS[SMOKE], tmp_path, tmp_path))
    assert parts["raises"].error == "ValueError: a wrong number"
    assert parts["dies"].error == "its process ended with exit code 9"
    assert parts["hangs"].error == "it took longer than 20 s"
    gone(int((tmp_path / gpu_parts.SLOW_CHILD).read_text()))


def gone(pid):
    """Wait until a process has ended; a zombie whose parent has not asked for it counts as ended."""
    for _ in range(100):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def test_no_part_starts_once_the_time_is_over(tmp_path):
    (part,) = run_all([Work("sound", gpu_parts.sound, 60.0)], PLANS[SMOKE], tmp_path, tmp_path, 0.0)
    assert (part.state, part.error) == (FAILED, LEFT_OVER)


def test_the_limits_of_the_parts_leave_room_in_eight_minutes():
    assert sum(work.limit for work in WORKS) <= command.LIMIT + 10 <= 480


def test_a_batch_that_does_not_fit_is_halved_and_never_a_failure():
    tried = []

    def run(batch):
        tried.append(batch)
        if batch > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch

    assert training.first_that_fits((32, 16, 8, 4), run) == 8
    assert tried == [32, 16, 8]
    with pytest.raises(torch.OutOfMemoryError, match="no batch"):
        training.first_that_fits((32, 16), run)


def test_memory_that_does_not_suffice_is_written_down():
    def too_large():
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert training.result_or_none(too_large) is None
    row = training.memory_at(512, None, 5_000_000_000)
    assert (row.value, row.baseline, row.note) == (None, 5.0, "ours does not fit")
    assert training.memory_at(512, None, None).note == "ours does not fit; the plain loop does not fit"
    assert judged("memory", 1.0, [row]).state == OK


def test_the_difference_of_gradients_is_that_of_one_vector():
    one = {"loss": torch.tensor(2.0), "a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    other = {"loss": torch.tensor(1.0), "a": torch.tensor([0.0, 0.0]), "b": torch.tensor([4.0])}
    assert exactness.difference(one, other) == (1.0, 0.75)
    assert exactness.difference(one, one) == (0.0, 0.0)


def test_smoke_needs_a_folder_and_a_full_run_a_gpu(tmp_path, monkeypatch, capsys):
    for arguments in (["--smoke"], ["--part", "probe"]):
        with pytest.raises(SystemExit, match="2"):
            command.main(arguments)
    assert "--output" in capsys.readouterr().err
    monkeypatch.setattr(command, "call", lambda *_: [Machine("CPU", 1.0, False, 2, "3", "2")])
    assert command.measure(PLANS[FULL], WORKS, tmp_path, tmp_path / "out") == 1
    assert "torch sees no GPU" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_whole_benchmark_runs_with_small_sizes_on_a_cpu(tmp_path):
    environment = os.environ | {"CGDMER_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "benchmarks.gpu", "--smoke", "--output", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.json")
    report = GpuReport.from_json(json.loads(path.read_text()))
    assert [part.name for part in report.parts] == [work.name for work in WORKS]
    measured = {(part.name, row.name): row for part in report.parts for row in part.measurements}
    assert (report.plan, report.machine.cuda, report.failed) == (SMOKE, None, [])
    assert all(row.value is not None for row in measured.values())
    assert measured["resume", "largest difference of a weight"].value == 0
    naive = measured["accumulation", "gradient at accumulate 4"]
    assert naive.value < 1e-4 < 0.05 < naive.baseline
