"""The clinical population: findings with degrees and regions, intervals and axis drawn to match them.

Medians and deviations of intervals follow 25,061 rows of MIMIC-IV-ECG's machine measurements (ODbL 1.0): aggregate
numbers only (docs/simulator.md).
"""

from cgdmer.simulator import beat_shapes
from cgdmer.simulator.beat_shapes import LATE, QRS_BUMPS
from cgdmer.simulator.clinical_case import REGIONAL, REGIONS, Clinical
from cgdmer.simulator.draws import Draws
from cgdmer.simulator.findings import FINDINGS, RHYTHMS, SINUS, Case, clip, draw_case

CANDIDATES = 6
"""Number of beat shapes that are drawn for one heart; the one that suits its axis best is kept."""

_RHYTHM_PROBABILITIES = (0.55, 0.10, 0.10, 0.05, 0.12, 0.03, 0.02, 0.03)
_CONDUCTION = {
    "lbbb": 0.05, "rbbb": 0.08, "incomplete_rbbb": 0.08, "incomplete_lbbb": 0.015, "lafb": 0.07, "ivcd": 0.05,
    "wpw": 0.02,
}  # fmt: skip
_INFARCTIONS = {
    "anterior_infarction": 0.08, "septal_infarction": 0.09, "inferior_infarction": 0.12, "lateral_infarction": 0.05,
    "posterior_infarction": 0.015,
}  # fmt: skip
_REPOLARISATION = {
    "st_depression": 0.10, "st_elevation": 0.05, "t_inversion": 0.10, "low_t": 0.06, "nonspecific_st": 0.07,
    "nonspecific_t": 0.11, "long_qt": 0.06, "ischemia_anterior": 0.05, "ischemia_inferior": 0.035,
}  # fmt: skip
_CHAMBERS = {"lvh": 0.17, "rvh": 0.03, "left_atrial_enlargement": 0.07, "right_atrial_enlargement": 0.03}
_ECTOPY = {"premature_atrial": 0.09, "premature_ventricular": 0.11, "bigeminy": 0.02}
_VOLTAGE = {"low_voltage": 0.045, "high_voltage": 0.03, "abnormal_q": 0.05}
_MILD = (
    "nonspecific_t",
    "lvh",
    "inferior_infarction",
    "septal_infarction",
    "lafb",
    "premature_ventricular",
    "t_inversion",
)

_RATE = {
    "sinus_rhythm": (71.0, 10.0, 60.0, 99.0),
    "sinus_bradycardia": (53.0, 4.5, 38.0, 59.0),
    "sinus_tachycardia": (109.0, 9.0, 101.0, 150.0),
    "sinus_arrhythmia": (68.0, 9.0, 54.0, 92.0),
    "atrial_fibrillation": (85.0, 23.0, 48.0, 160.0),
    "atrial_flutter": (95.0, 22.0, 70.0, 150.0),
    "supraventricular_tachycardia": (168.0, 17.0, 135.0, 210.0),
    "paced": (70.0, 8.0, 58.0, 100.0),
}
"""Heart rate in beats per minute: mean, standard deviation, lowest, highest."""
_QRS = {
    "paced": (160.0, 16.0, 130.0, 200.0),
    "lbbb": (148.0, 13.0, 124.0, 190.0),
    "rbbb": (139.0, 12.0, 120.0, 180.0),
    "wpw": (124.0, 11.0, 105.0, 150.0),
    "ivcd": (118.0, 7.0, 108.0, 136.0),
    "incomplete_lbbb": (113.0, 4.0, 104.0, 119.0),
    "incomplete_rbbb": (106.0, 6.0, 92.0, 119.0),
}
_NARROW = (90.0, 9.0, 70.0, 112.0)
"""QRS duration in milliseconds: mean, standard deviation, lowest, highest; the last without any of these findings."""


def draw_clinical(random: Draws) -> Case:
    """Draw one case."""
    return draw_case(random, 0.9, _abnormal, _complete)


def _some(random: Draws, probabilities: dict[str, float], second: float = 0.0) -> set[str]:
    """Return at most one of the items, and with probability `second` perhaps another."""
    names = tuple(probabilities)
    out = random.at_most_one(names, tuple(probabilities.values()))
    if out and random.random() < second:
        out.add(random.choice(names))
    return out


def _abnormal(random: Draws) -> set[str]:
    """Draw compatible findings, at least one of which is abnormal."""
    findings = random.at_most_one(RHYTHMS, _RHYTHM_PROBABILITIES) or {RHYTHMS[0]}
    (rhythm,) = findings
    if rhythm == "paced":
        return findings
    findings |= _some(random, _CONDUCTION)
    if "rbbb" in findings and random.random() < 0.3:
        findings.add("lafb")
    if not findings & {"lbbb", "wpw"}:
        findings |= _some(random, _INFARCTIONS, 0.15)
        findings |= _some(random, _REPOLARISATION, 0.12)
        findings |= _some(random, _CHAMBERS, 0.10)
    if rhythm in SINUS:
        findings |= _some(random, _ECTOPY)
        if "wpw" not in findings and random.random() < 0.10:
            findings.add("first_degree_av_block")
    else:
        findings -= {"left_atrial_enlargement", "right_atrial_enlargement"}
    findings |= _some(random, _VOLTAGE)
    if "low_voltage" in findings:
        findings -= {"lvh", "rvh"}
    if "lafb" in findings:
        findings -= {"rvh"}
    if findings <= {"sinus_rhythm", "sinus_arrhythmia"}:
        findings.add(random.choice(_MILD))
    return findings


def _complete(findings: frozenset[str], age: float, sex: str, random: Draws) -> Case:
    """Draw rate, intervals, axis and the heart's traits; QT follows the rate by Hodges' formula."""
    rhythm = next(name for name in RHYTHMS if name in findings)
    rate = _normal(random, *_RATE[rhythm])
    pr = clip(random.normal(160 - 0.35 * (rate - 72) + 0.25 * (age - 60), 20), 112, 198)
    if "first_degree_av_block" in findings:
        extra = random.random()
        pr = 204 + 100 * extra * extra
    elif "wpw" in findings:
        pr = random.uniform(80, 118)
    qrs = _normal(random, *next((_QRS[name] for name in _QRS if name in findings), _NARROW))
    if not findings & _QRS.keys():
        qrs += 2.5 * (sex == "male") - 1.0
    if "long_qt" in findings:
        corrected = 465 + 75 * random.random() * random.random()
    else:
        corrected = clip(random.normal(415 + 6 * (sex == "female"), 17), 365, 458)
    qt = clip(corrected + 1.75 * (60 - rate) + 0.45 * (qrs - 92), 230, 600)
    axis = _axis(findings, age, random)
    own = _heart(findings, age, sex, axis, random)
    return Case(findings, age, sex, rate, pr, qrs, qt, axis, own)


def _axis(findings: frozenset[str], age: float, random: Draws) -> float:
    if "paced" in findings:
        return random.normal(-68, 14)
    if "lafb" in findings:
        return random.uniform(-78, -42)
    if "rvh" in findings:
        return random.uniform(85, 135)
    if findings & {"lbbb", "lvh"}:
        return clip(random.normal(8, 26), -50, 80)
    if "normal" not in findings and random.random() < 0.1:
        return random.uniform(-44, -28) if random.random() < 0.75 else random.uniform(91, 115)
    return clip(random.normal(36 - 0.55 * (age - 60), 27), -29, 90)


def _heart(findings: frozenset[str], age: float, sex: str, axis: float, random: Draws) -> Clinical:
    degrees = {name: random.random() for name in FINDINGS if name in findings}
    regions = {name: random.choice(REGIONS) for name in REGIONAL if name in findings}
    size = random.log_normal(0.285, 0.22) * (1.1 if sex == "male" else 0.9)
    strain = random.uniform(0.2, 1.1) * (random.random() < 0.25 + 0.5 * degrees.get("lvh", 0.0)) * ("lvh" in findings)
    scores = _scores(age, sex, axis, size, random)
    p_scores = tuple(random.normals(len(beat_shapes.statistics().p_components)).tolist())
    return Clinical(
        scores, p_scores, size, degrees, regions, "st_elevation" in findings and random.random() < 0.6, strain
    )


def _scores(age: float, sex: str, axis: float, size: float, random: Draws) -> tuple[float, ...]:
    """Draw shapes and keep the one with upright T waves whose axis is closest to `axis`.

    Findings are added to this shape, so it must not show what they would.
    """
    known = beat_shapes.statistics()
    means = known.age * ((age - 60) / 17) + known.male * (0.5 if sex == "male" else -0.5)
    across, down = beat_shapes.target(axis)
    best, chosen = -9.0, means
    for _ in range(CANDIDATES):
        scores = means + random.normals(len(means))
        drawn = size * beat_shapes.shape(scores.tolist())
        x, y = beat_shapes.direction(drawn)
        upright = drawn[:, LATE][:, 3:8].max(axis=1)[[0, 1, 5, 6, 7]].min() > 0.06
        voltage = drawn[6, :QRS_BUMPS].max() - drawn[2, :QRS_BUMPS].min()
        suits = x * across + y * down + 2.0 * bool(upright) + 2.0 * bool(voltage < 3.6)
        if suits > best:
            best, chosen = suits, scores
    return tuple(float(score) for score in chosen)


def _normal(random: Draws, mean: float, deviation: float, low: float, high: float) -> float:
    return clip(random.normal(mean, deviation), low, high)
