"""Text of a simulated machine report: several wordings per finding, in the usual order, with occasional errors."""

from cgdmer.simulator.clinical_sentences import clinical_lines
from cgdmer.simulator.findings import FINDINGS, Case, stream

SLIP = 0.03
"""Probability that a report omits one finding, and that it states one that is absent."""

WORDINGS: dict[str, tuple[str, ...]] = {
    "sinus_rhythm": ("Sinus rhythm", "Normal sinus rhythm", "Sinus rhythm"),
    "sinus_bradycardia": ("Sinus bradycardia", "Sinus bradycardia", "Marked sinus bradycardia"),
    "sinus_tachycardia": ("Sinus tachycardia",),
    "sinus_arrhythmia": ("Sinus arrhythmia", "Sinus rhythm with sinus arrhythmia"),
    "atrial_fibrillation": ("Atrial fibrillation", "Atrial fibrillation", "Probable atrial fibrillation"),
    "atrial_flutter": ("Atrial flutter", "Atrial flutter with variable A-V block", "Probable atrial flutter"),
    "supraventricular_tachycardia": ("Supraventricular tachycardia", "Narrow QRS tachycardia"),
    "paced": ("Ventricular pacing", "Electronic ventricular pacemaker", "Ventricular-paced rhythm"),
    "premature_atrial": ("PACs noted", "with PAC(s)", "Atrial premature complexes"),
    "premature_ventricular": ("PVCs noted", "with PVC(s)", "Ventricular premature complex"),
    "bigeminy": ("Ventricular bigeminy", "with frequent PVCs in a pattern of bigeminy"),
    "first_degree_av_block": ("with 1st degree A-V block", "First degree A-V block", "Prolonged PR interval"),
    "lbbb": ("Left bundle branch block", "LBBB", "Left bundle branch block"),
    "rbbb": ("Right bundle branch block", "RBBB", "Right bundle branch block"),
    "incomplete_rbbb": ("Incomplete right bundle branch block", "IRBBB", "RSR' in V1 or V2 - probable normal variant"),
    "incomplete_lbbb": ("Incomplete left bundle branch block", "ILBBB"),
    "lafb": ("Left anterior fascicular block", "LAFB", "Left axis deviation - anterior fascicular block"),
    "ivcd": ("Nonspecific intraventricular conduction delay", "IV conduction defect"),
    "wpw": ("Wolff-Parkinson-White pattern", "Ventricular preexcitation, WPW pattern"),
    "anterior_infarction": ("Anterior infarct - age undetermined", "Possible anterior infarct", "Anterior infarct"),
    "septal_infarction": (
        "Septal infarct - age undetermined",
        "Anteroseptal infarct - possibly old",
        "Poor R wave progression - consider anteroseptal infarct",
    ),
    "inferior_infarction": (
        "Inferior infarct - age undetermined",
        "Possible inferior infarct",
        "Inferior infarct, old",
    ),
    "lateral_infarction": ("Lateral infarct - age undetermined", "Possible lateral infarct"),
    "posterior_infarction": ("Posterior infarct - age undetermined", "Possible posterior infarct"),
    "st_depression": (
        "ST depression",
        "Lateral ST depression may be due to myocardial ischemia",
        "ST segment depression",
    ),
    "st_elevation": ("ST elevation - consider acute injury", "ST elevation, consider early repolarization"),
    "t_inversion": ("T wave inversion", "T wave inversions noted"),
    "low_t": ("Low T waves", "Flat T waves"),
    "nonspecific_st": ("Nonspecific ST changes", "Minor ST changes are nonspecific"),
    "nonspecific_t": ("Nonspecific T wave changes", "Nonspecific T abnormalities", "Borderline T wave abnormalities"),
    "long_qt": ("Prolonged QT interval", "Long QTc interval"),
    "ischemia_anterior": ("Anterior T wave changes may be due to myocardial ischemia", "Anterior ischemia"),
    "ischemia_inferior": ("Inferior T wave changes may be due to myocardial ischemia", "Inferior ischemia"),
    "lvh": ("Left ventricular hypertrophy", "LVH with secondary ST-T changes", "Consider left ventricular hypertrophy"),
    "rvh": ("Right ventricular hypertrophy", "Possible right ventricular hypertrophy"),
    "left_atrial_enlargement": ("Left atrial enlargement", "Left atrial abnormality"),
    "right_atrial_enlargement": ("Right atrial enlargement", "Right atrial abnormality"),
    "low_voltage": ("Low QRS voltages in limb leads", "Generalized low QRS voltages"),
    "high_voltage": ("High QRS voltage", "Voltage criteria for left ventricular hypertrophy"),
    "abnormal_q": ("Abnormal Q waves", "Q waves, cannot rule out infarct"),
}
RATES = {
    "atrial_fibrillation": ("with rapid ventricular response", "with slow ventricular response"),
    "atrial_flutter": ("with rapid ventricular response", "with controlled ventricular response"),
}


def report_lines(case: Case, seed: int, number: int) -> list[str]:
    """Return the lines of one report. Normal records share a few texts, as in real machine reports."""
    random = stream(seed, number, 2)
    if case.clinical:
        return clinical_lines(case, case.clinical, random)
    stated = [name for name in FINDINGS if name in case.findings and name != "normal"]
    if len(stated) > 1 and random.random() < SLIP:
        stated.pop(random.integer(1, len(stated)))
    if random.random() < SLIP:
        stated.append(random.choice(("nonspecific_st", "nonspecific_t", "lvh", "left_atrial_enlargement")))
    lines = [_wording(name, case, random.random(), random.random()) for name in dict.fromkeys(stated)]
    if case.axis < -30 and "lafb" not in case.findings and case.rhythm != "paced":
        lines.append("Left axis deviation")
    elif case.axis > 95:
        lines.append("Right axis deviation")
    return [*lines, _verdict(case, len(stated), random.random())]


def _wording(name: str, case: Case, first: float, second: float) -> str:
    """Return a wording of a finding, with the ventricular rate if it applies; `first`, `second` are uniform draws."""
    choices = WORDINGS[name]
    words = choices[int(first * len(choices))]
    if name in RATES and second < 0.6 and "with" not in words and "Probable" not in words:
        if case.heart_rate > 100:
            return f"{words} {RATES[name][0]}"
        if case.heart_rate < 65 or name == "atrial_flutter":
            return f"{words} {RATES[name][1]}"
    return words


def _verdict(case: Case, stated: int, draw: float) -> str:
    """Return the closing line of a report that states `stated` findings; `draw` is a uniform draw."""
    if "normal" in case.findings and stated == 1:
        return "Normal ECG" if draw < 0.9 else "Normal ECG except for rate"
    mild = {"nonspecific_st", "nonspecific_t", "low_t", "premature_atrial", "incomplete_rbbb", "sinus_bradycardia"}
    severe = case.findings - mild - {"sinus_rhythm", "sinus_arrhythmia"}
    return "Borderline ECG" if not severe and draw < 0.8 else "Abnormal ECG"
