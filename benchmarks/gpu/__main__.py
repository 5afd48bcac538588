"""Measure pretraining and its neighbours on the GPU of this machine, beside plain baselines, in eight minutes.

Run: python -m benchmarks.gpu, or python -m benchmarks.gpu --smoke --output FOLDER [--part NAME ...]

It writes reports/gpu/<device>.json and ends with 1 if a part failed; the other parts stand. `--smoke` runs the same
code with small sizes on any device, to prove that it works. It measures nothing, so its folder must be named.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gpu.parts import WORKS, machine
from benchmarks.gpu.plan import FULL, PLANS, SMOKE, Bench, Plan, write_corpus
from benchmarks.gpu.result import GpuReport, Machine, Part
from benchmarks.gpu.runner import PartFailed, Work, call, run_all
from benchmarks.measuring import commit
from cgdmer import paths

FOLDER = paths.REPORTS / "gpu"
LIMIT = 470.0
"""Seconds for the whole command, at a patience of 1."""
MACHINE_LIMIT = 60.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes, on any device; needs --output")
    parser.add_argument(
        "--part", action="append", choices=[work.name for work in WORKS], help="only this part; needs --output"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"default: {FOLDER}")
    options = parser.parse_args(arguments)
    if (options.smoke or options.part) and not options.output:
        parser.error(f"--smoke and --part need --output: {FOLDER} holds whole measurements of GPUs only")
    if options.smoke:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # tensors this small gain nothing from more
    works = [work for work in WORKS if not options.part or work.name in options.part]
    paths.STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.STATE, ignore_cleanup_errors=True) as scratch:
        return measure(PLANS[SMOKE if options.smoke else FULL], works, Path(scratch), options.output or FOLDER)


def measure(plan: Plan, works: list[Work], scratch: Path, output: Path) -> int:
    """Run the parts, write the report after each, and return the exit code."""
    begin, parts = time.monotonic(), list[Part]()
    corpus = scratch / "corpus"
    try:
        (device,) = call(machine, Bench(plan, corpus, scratch), plan.patience * MACHINE_LIMIT)
    except PartFailed as error:
        return fail(f"the device cannot be used: {error}")
    if plan.name == FULL and device.cuda is None:
        return fail("torch sees no GPU\n  to fix: nvidia-smi; or prove the code on this CPU: --smoke --output FOLDER")
    print(f"{device.device}, {device.memory_gb:.0f} GB, torch {device.torch}, bf16 {device.bf16}", flush=True)
    corpus.mkdir()
    write_corpus(plan, corpus)
    left = plan.patience * LIMIT - (time.monotonic() - begin)
    for part in run_all(works, plan, corpus, scratch, left):
        print(part, flush=True)
        parts.append(part)
        report = report_of(device, plan, time.monotonic() - begin, parts)
        path = report.write(output)
    print(f"{path}: {len(parts) - len(report.failed)} of {len(parts)} parts, {report.seconds:.0f} s")
    return fail(f"failed: {', '.join(report.failed)}") if report.failed else 0


def report_of(device: Machine, plan: Plan, seconds: float, parts: list[Part]) -> GpuReport:
    """Return the report of the parts that have run."""
    code = commit(Path(), "benchmarks", "cgdmer", "params")
    return GpuReport(device, datetime.now(UTC).date().isoformat(), code, plan.name, round(seconds, 1), parts)


def fail(message: str) -> int:
    """Print an error and return the exit code."""
    print(f"benchmarks.gpu: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
