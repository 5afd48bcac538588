"""How long a call of a stage takes by itself, and forked from a process that has imported torch.

Run, after make demo: python -m benchmarks.stage_calls [--repeats N]
`finetune`, which the demo does not use, ends at once; `zero_shot` imports torch. The two ways take turns on one core.
"""

import json
import os
import statistics
import subprocess
import sys

from benchmarks.measuring import machine, parser_of, timed
from cgdmer.pipeline.workers import fork_server

CALLS = (("finetune", "csn"), ("zero_shot", "csn"))


def main() -> None:
    options = parser_of("stage_calls", __doc__)
    options.add_argument("--repeats", type=int, default=7)
    repeats = options.parse_args().repeats
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["OMP_NUM_THREADS"] = "1"
    ways = {"alone": dict(os.environ)}
    with fork_server():
        ways["forked"] = dict(os.environ)
        for call in CALLS:
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(1 + repeats):
                for name, environment in ways.items():
                    seconds[name].append(seconds_of(call, environment))
            show(" ".join(call), {name: statistics.median(each[1:]) for name, each in seconds.items()})


def seconds_of(call: tuple[str, ...], environment: dict[str, str]) -> float:
    """Call a stage, and return the seconds that it takes."""
    command = [sys.executable, "-m", "cgdmer", "run", *call]
    return timed(lambda: subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL))[1]


def show(call: str, medians: dict[str, float]) -> None:
    """Print one line of JSON: the medians, which leave out the first call of each way, and their ratio."""
    ratio = medians["alone"] / medians["forked"]
    seconds = {name: round(median, 2) for name, median in medians.items()}
    print(json.dumps({"name": "stage_calls", "call": call, **seconds, "unit": "s", "ratio": round(ratio, 1),
                      "machine": machine()}))  # fmt: skip


if __name__ == "__main__":
    main()
