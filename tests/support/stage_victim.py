"""Run every stage undisturbed, then again with kills at random moments; the tests run this as a separate program.

`python stage_victim.py FOLDER SEED KILLS`: FOLDER/calm and FOLDER/killed are micro projects; without kills there is no
second one. Every stage call is a child forked from this process, which has imported everything, so that the child
spends its time on the work alone. Progress bars start no thread here: a fork while it holds its lock blocks the child.
"""

import json
import logging
import os
import random
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

import great_expectations  # noqa: F401  # once, not in every child
import torch._dynamo  # noqa: F401
import tqdm

from cgdmer import settings, stages
from cgdmer.errors import CgdmerError
from support import micro_project as micro

tqdm.tqdm.monitor_interval = 0
TRIES = 4
"""A child may end before it is killed; then another moment is drawn."""


def start(call: str, log: Path) -> int:
    """Fork a child that runs one stage call and logs at level DEBUG to `log`; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
        stage, *items = call.split()
        stages.call(stage, items, settings.load())
        code = 0
    except CgdmerError as error:
        print(error, file=sys.stderr)  # noqa: T201
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def finish(call: str, log: Path) -> float:
    """Run one stage call to its end and return the seconds it took."""
    begin = time.perf_counter()
    status = os.waitpid(start(call, log), 0)[1]
    if status:
        sys.exit(f"{call} ended with {status}:\n{log.read_text()[-3000:]}")
    return time.perf_counter() - begin


def kill(call: str, log: Path, lasts: float, draw: random.Random) -> bool:
    """Start a stage call and send SIGKILL at a random moment; return True if that ended it."""
    child = start(call, log)
    time.sleep(draw.uniform(0, lasts))
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def killed_and_run_again(seconds: dict[str, float], log: Path, draw: random.Random, kills: int) -> dict[str, int]:
    """Kill each stage call `kills` times, then let it end; return how often each was killed."""
    suffered = dict.fromkeys(seconds, 0)
    for call, lasts in seconds.items():
        for number in range(kills * TRIES):
            if suffered[call] == kills:
                break
            suffered[call] += kill(call, log, lasts * 0.95 / (1 + number // kills), draw)
        finish(call, log)
    return suffered


def project(folder: Path, corpus: Path) -> None:
    """Write the settings of a micro project and make it the working directory."""
    micro.write_params(folder, corpus)
    os.chdir(folder)


def main(folder: Path, seed: int, kills: int) -> None:
    """Print JSON: the planted numbers, seconds by call, and the number of kills per call."""
    for name in stages.STAGES:
        import_module(f"cgdmer.stages.{name}")
    for name in ("cgdmer", "random"):
        import_module(f"cgdmer.encoders.{name}")
    for name in ("datasets.mimic_iv_ecg", "datasets.csn", "demo_corpora.csn"):
        import_module(f"cgdmer.{name}")
    corpus = folder / "raw 'quoted' \"twice\" ünï" / "mimic_iv_ecg"
    planted, suffered = micro.plant(corpus), dict[str, int]()
    project(folder / "calm", corpus)
    seconds = {call: finish(call, folder / "calm.log") for call in micro.CALLS}
    if kills:
        project(folder / "killed", corpus)
        suffered = killed_and_run_again(seconds, folder / "killed.log", random.Random(seed), kills)
    sys.stdout.write(json.dumps({"planted": planted, "seconds": seconds, "killed": suffered}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
