"""Findings of simulated records, drawn jointly, with the heart rate, intervals and axis that follow from them."""

from collections.abc import Callable
from dataclasses import dataclass

from cgdmer.simulator.clinical_case import Clinical
from cgdmer.simulator.draws import Draws

RHYTHMS = (
    "sinus_rhythm",
    "sinus_bradycardia",
    "sinus_tachycardia",
    "sinus_arrhythmia",
    "atrial_fibrillation",
    "atrial_flutter",
    "supraventricular_tachycardia",
    "paced",
)
ECTOPY = ("premature_atrial", "premature_ventricular", "bigeminy")
CONDUCTION = ("lbbb", "rbbb", "incomplete_rbbb", "incomplete_lbbb", "lafb", "ivcd", "wpw")
INFARCTIONS = (
    "anterior_infarction",
    "septal_infarction",
    "inferior_infarction",
    "lateral_infarction",
    "posterior_infarction",
)
REPOLARISATION = (
    "st_depression",
    "st_elevation",
    "t_inversion",
    "low_t",
    "nonspecific_st",
    "nonspecific_t",
    "long_qt",
    "ischemia_anterior",
    "ischemia_inferior",
)
CHAMBERS = ("lvh", "rvh", "left_atrial_enlargement", "right_atrial_enlargement")
VOLTAGE = ("low_voltage", "high_voltage", "abnormal_q")
FINDINGS: tuple[str, ...] = (
    *RHYTHMS,
    *ECTOPY,
    "first_degree_av_block",
    *CONDUCTION,
    *INFARCTIONS,
    *REPOLARISATION,
    *CHAMBERS,
    *VOLTAGE,
    "normal",
)
SINUS = frozenset(RHYTHMS[:4])
NORMAL_SHARE = 0.4
"""Share of normal records; PTB-XL has 9,514 NORM among 21,388 (docs/protocols.md A.3.1)."""

_RHYTHM_PROBABILITIES = (0.52, 0.09, 0.09, 0.06, 0.13, 0.04, 0.03, 0.04)
_CONDUCTION_PROBABILITIES = (0.06, 0.08, 0.08, 0.02, 0.08, 0.06, 0.03)
_INFARCTION_PROBABILITIES = (0.08, 0.06, 0.10, 0.04, 0.02)
_REPOLARISATION_PROBABILITIES = (0.10, 0.05, 0.07, 0.06, 0.07, 0.09, 0.05, 0.05, 0.04)
_CHAMBER_PROBABILITIES = (0.16, 0.04, 0.06, 0.04)
_ECTOPY_PROBABILITIES = (0.09, 0.11, 0.02)
_VOLTAGE_PROBABILITIES = (0.04, 0.04, 0.04)

_RATE = {
    "sinus_rhythm": (74.0, 9.0, 60.0, 98.0),
    "sinus_bradycardia": (51.0, 4.0, 40.0, 58.0),
    "sinus_tachycardia": (115.0, 10.0, 102.0, 145.0),
    "sinus_arrhythmia": (70.0, 8.0, 58.0, 92.0),
    "atrial_fibrillation": (92.0, 22.0, 55.0, 150.0),
    "atrial_flutter": (95.0, 20.0, 72.0, 150.0),
    "supraventricular_tachycardia": (172.0, 14.0, 150.0, 205.0),
    "paced": (68.0, 6.0, 58.0, 85.0),
}
"""Heart rate in beats per minute: mean, standard deviation, lowest, highest."""

_QRS = {"lbbb": 150.0, "rbbb": 138.0, "incomplete_rbbb": 112.0, "incomplete_lbbb": 114.0, "ivcd": 122.0, "wpw": 130.0}
"""Mean QRS duration in milliseconds; without any of these it is about 92."""


@dataclass(frozen=True)
class Case:
    """One simulated record: the cause of its signal, its report and its labels."""

    findings: frozenset[str]
    age: float
    """Years."""
    sex: str
    heart_rate: float
    """Beats per minute."""
    pr_ms: float
    qrs_ms: float
    qt_ms: float
    axis: float
    """QRS axis in the frontal plane, in degrees."""
    clinical: Clinical | None = None
    """Individual traits of a heart of the clinical population; None in the textbook population."""

    @property
    def rhythm(self) -> str:
        """The one rhythm among the findings."""
        return next(name for name in RHYTHMS if name in self.findings)


def stream(seed: int, number: int, purpose: int) -> Draws:
    """Return the random stream of one record and purpose. A record thus depends on (seed, number) only."""
    return Draws(seed, number, purpose)


def draw_textbook(random: Draws) -> Case:
    """Draw one case of the textbook population."""
    return draw_case(random, 0.88, _abnormal, _complete)


def draw_case(
    random: Draws, regular: float, abnormal: Callable[[Draws], set[str]],
    complete: Callable[[frozenset[str], float, str, Draws], Case],
) -> Case:  # fmt: skip
    """Draw age, sex and findings; `abnormal` draws those that are not normal, `complete` the rest of the case.

    `regular` is the share of normal records without sinus arrhythmia.
    """
    age = float(round(clip(random.normal(60, 17), 18, 95)))
    sex = "male" if random.random() < 0.52 else "female"
    if random.random() < NORMAL_SHARE:
        findings = {"normal", "sinus_rhythm" if random.random() < regular else "sinus_arrhythmia"}
    else:
        findings = abnormal(random)
    return complete(frozenset(findings), age, sex, random)


def _abnormal(random: Draws) -> set[str]:
    """Draw compatible findings, at least one of which is abnormal."""
    findings = random.at_most_one(RHYTHMS, _RHYTHM_PROBABILITIES) or {RHYTHMS[0]}
    (rhythm,) = findings
    if rhythm == "paced":
        return findings
    findings |= random.at_most_one(CONDUCTION, _CONDUCTION_PROBABILITIES)
    if not findings & {"lbbb", "wpw"}:
        findings |= random.at_most_one(INFARCTIONS, _INFARCTION_PROBABILITIES)
        findings |= random.at_most_one(REPOLARISATION, _REPOLARISATION_PROBABILITIES)
        findings |= random.at_most_one(CHAMBERS, _CHAMBER_PROBABILITIES)
    if rhythm in SINUS:
        findings |= random.at_most_one(ECTOPY, _ECTOPY_PROBABILITIES)
        if "wpw" not in findings and random.random() < 0.09:
            findings.add("first_degree_av_block")
    else:
        findings -= {"left_atrial_enlargement", "right_atrial_enlargement"}
    findings |= random.at_most_one(VOLTAGE, _VOLTAGE_PROBABILITIES)
    if {"lvh", "low_voltage"} <= findings:
        findings.discard("low_voltage")
    if findings <= {"sinus_rhythm", "sinus_arrhythmia"}:
        findings.add(random.choice(("nonspecific_t", "lvh", "inferior_infarction", "lafb", "premature_ventricular")))
    return findings


def _complete(findings: frozenset[str], age: float, sex: str, random: Draws) -> Case:
    """Draw rate, intervals and axis to match the findings; QT follows the rate by Hodges' formula."""
    rhythm = next(name for name in RHYTHMS if name in findings)
    mean, deviation, low, high = _RATE[rhythm]
    rate = clip(random.normal(mean, deviation), low, high)
    pr = clip(random.normal(158 - 0.2 * (rate - 70), 16), 122, 196)
    if "first_degree_av_block" in findings:
        pr = random.uniform(212, 300)
    elif "wpw" in findings:
        pr = random.uniform(88, 112)
    cause = "paced" if rhythm == "paced" else next((name for name in _QRS if name in findings), "")
    qrs = clip(random.normal(_QRS.get(cause, 154.0 if cause == "paced" else 92.0), 5), 78, 175)
    if "lbbb" in findings or rhythm == "paced":
        qrs = max(qrs, 138.0)
    if "rbbb" in findings:
        qrs = max(qrs, 126.0)
    corrected = random.uniform(485, 540) if "long_qt" in findings else random.normal(404 + 6 * (sex == "female"), 13)
    qt = clip(corrected + 1.75 * (60 - rate) + 0.6 * (qrs - 92), 230, 600)
    return Case(findings, age, sex, rate, pr, qrs, qt, _axis(findings, age, random))


def _axis(findings: frozenset[str], age: float, random: Draws) -> float:
    if "lafb" in findings:
        return random.uniform(-65, -46)
    if "rvh" in findings:
        return random.uniform(95, 130)
    if findings & {"lbbb", "lvh"}:
        return random.normal(5, 18)
    return clip(random.normal(54 - 0.5 * (age - 40), 23), -28, 92)


def clip(value: float, low: float, high: float) -> float:
    """Return the value, or the nearer bound if it lies outside."""
    return min(max(value, low), high)
