"""Speed of the simulator on one core, compared with evaluating every wave of every beat on the whole time axis."""

import json
import platform
import time

import numpy as np

from benchmarks.measuring import parser_of
from cgdmer.simulator import draw_cases, heart, simulate, torso
from cgdmer.simulator.findings import Case, stream
from cgdmer.simulator.noise import noise
from cgdmer.simulator.rhythm import beats

SECONDS, FS, RECORDS, ROUNDS = 10.0, 500.0, 40, 5


def naive(case: Case, seed: int, number: int) -> np.ndarray:
    """Evaluate each Gaussian of each beat on the whole time axis."""
    random = stream(seed, number, 1)
    time_ms = np.arange(round(SECONDS * FS)) / FS * 1000
    line = np.zeros((3, len(time_ms)))
    waves = heart.ventricular_waves(case, random)
    for onset in beats(case, SECONDS, random).onset:
        for wave in waves:
            width = np.where(time_ms < onset * 1000 + wave.centre, wave.rise, wave.fall)
            bump = np.exp(-0.5 * ((time_ms - onset * 1000 - wave.centre) / width) ** 2)
            line += np.array(wave.vector)[:, None] * bump
    return torso.twelve_leads(torso.multiply(torso.LEAD_VECTORS * 1000, line) + noise(line.shape[1], FS, random))


def main() -> None:
    """Time both and the clinical population alternately, and print records per second on one core."""
    parser_of("simulate", __doc__).parse_args()
    cases, clinical_cases = draw_cases(1, 0, RECORDS), draw_cases(1, 0, RECORDS, "clinical")
    ours, baseline, clinical = [], [], []
    for _ in range(ROUNDS):
        begin = time.process_time()
        simulate(cases, 1, 0, SECONDS, FS)
        middle = time.process_time()
        for number, case in enumerate(cases):
            naive(case, 1, number)
        ours.append(RECORDS / (middle - begin))
        end = time.process_time()
        baseline.append(RECORDS / (end - middle))
        simulate(clinical_cases, 1, 0, SECONDS, FS)
        clinical.append(RECORDS / (time.process_time() - end))
    fast, slow, other = (float(np.median(rates)) for rates in (ours, baseline, clinical))
    print(f"simulator {fast:.0f} records/s, naive {slow:.0f} records/s, one core, 12 x 5000 samples")
    print(f"clinical population {other:.0f} records/s")
    facts = {
        "clinical": other,
        "name": "simulate",
        "ratio": fast / slow,
        "ours": fast,
        "baseline": slow,
        "unit": "records/s/core",
    }
    print(json.dumps(facts | {"machine": f"{platform.machine()} {platform.processor()}".strip()}))


if __name__ == "__main__":
    main()
