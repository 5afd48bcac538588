"""The command line in real processes: torchrun gives what one process gives, and SIGTERM ends with 75 and goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from support import example_pool as example

from cgdmer import paths, settings

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "ptb_xl"
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "CGDMER_TRACKING": "off", "OMP_NUM_THREADS": "1"}
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def project(folder, **train):
    """Lay out shards and params of a tiny run."""
    example.write(folder, SOURCE, records=95)
    content = settings.read(ROOT / "params/demo.yaml")
    content |= {"model": example.MODEL.model_dump(), "signal": example.SIGNAL.model_dump()}
    content["pretraining_set"]["sources"] = [SOURCE]
    content["train"] |= {"epochs": 2, "batch": 25, "held_out": 10, "log_steps": 1, "checkpoint_steps": 100} | train
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


def command(folder, words, *stage, devices="1"):
    arguments = [sys.executable, *words, "cgdmer", "run", *stage]
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=ENVIRONMENT | {"CGDMER_DEVICES": devices},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder, words, *stage):
    process = command(folder, words, *stage)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = project(tmp_path_factory.mktemp("one"))
    run(folder, ["-m"], "pretrain")
    run(folder, ["-m"], "embed", "cgdmer", SOURCE)
    return folder


def test_torchrun_trains_like_one_process(trained, tmp_path):
    run(project(tmp_path), TORCHRUN, "pretrain")
    one, two = (load_file(folder / paths.MODEL / "weights.safetensors") for folder in (trained, tmp_path))
    assert all(torch.allclose(one[name], two[name], atol=5e-3) for name in one)


def test_torchrun_embeds_the_bytes_of_one_process(trained):
    written = trained / paths.embeddings("cgdmer", SOURCE)
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    run(trained, TORCHRUN, "embed", "cgdmer", SOURCE)
    assert before == {path.name: path.read_bytes() for path in written.iterdir()}


@pytest.mark.parametrize(("number", "devices"), [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGINT, "2")])
def test_a_signal_ends_with_75_after_a_checkpoint_and_the_next_run_goes_on(tmp_path, number, devices):
    longer = {"epochs": 200, "checkpoint_steps": 100000}
    folder = project(tmp_path, **longer)
    process = command(folder, ["-m"], "pretrain", devices=devices)
    deadline = time.monotonic() + 120
    while len(steps(folder)) < 20:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 75, output
    done = max(steps(folder))
    assert list(folder.glob(".cgdmer/**/*.safetensors")), "a checkpoint"
    again = command(folder, ["-m"], "pretrain")
    while max(steps(folder)) <= done + 5:
        assert again.poll() is None, again.communicate()[0]
        time.sleep(0.05)
    again.send_signal(signal.SIGTERM)
    output, _ = again.communicate(timeout=120)
    resumed = re.search(r"resumed after step (\d+) of \d+", output)
    assert resumed, output
    assert 0 < int(resumed[1]) <= done + 1


def steps(folder):
    """Return the steps that the training says it did, in order; a line that is being written is left out."""
    files = list(folder.glob(".cgdmer/**/steps.jsonl"))
    lines = files[0].read_text().splitlines(keepends=True) if files else []
    return [json.loads(line)["step"] for line in lines if line.endswith("\n")]
