"""Wordings of findings in the clinical population: as machines state them when clear or borderline, and as labels do.

The vocabulary is that of GE Marquette 12SL and of the machine reports of MIMIC-IV-ECG. `{region}` stands for a region.
"""

from typing import NamedTuple


class Wordings(NamedTuple):
    """Wordings of one finding."""

    clear: tuple[str, ...]
    hedged: tuple[str, ...]
    """For a borderline degree; empty if machines state the finding or not."""
    label: tuple[str, ...]
    """Plain names, as labels and prompts use them."""


_INFARCT = ("{} infarct, age undetermined", "{} infarct - age undetermined", "{} infarct, old", "{} infarct")
_HEDGED_INFARCT = ("Possible {} infarct, age undetermined", "Cannot rule out {} infarct", "Consider {} infarct")
_ACUTE = ("Acute {} infarct", "{} injury pattern", "ST elevation, consider {} injury or acute infarct")


def infarct(site: str) -> Wordings:
    """Return the wordings of an old infarction of a site, such as `anterior`."""
    return Wordings(
        tuple(words.format(site.capitalize()) for words in _INFARCT),
        tuple(words.format(site) for words in _HEDGED_INFARCT),
        (f"{site} myocardial infarction", f"{site} wall infarction", f"{site} myocardial infarction"),
    )


def acute_infarct(site: str) -> Wordings:
    """Return the wordings of an acute infarction of a site."""
    words = tuple(text.format(site if text[0] != "{" else site.capitalize()) for text in _ACUTE)
    return Wordings(words, words[2:], (f"acute {site} myocardial infarction", f"{site} myocardial infarction"))


WORDINGS: dict[str, Wordings] = {
    "sinus_rhythm": Wordings(("Sinus rhythm", "Normal sinus rhythm", "Sinus rhythm"), (), ("sinus rhythm",)),
    "sinus_bradycardia": Wordings(("Sinus bradycardia",), (), ("sinus bradycardia",)),
    "sinus_tachycardia": Wordings(("Sinus tachycardia",), (), ("sinus tachycardia",)),
    "sinus_arrhythmia": Wordings(
        ("Sinus arrhythmia", "Sinus rhythm with sinus arrhythmia", "Sinus rhythm with marked sinus arrhythmia"),
        (),
        ("sinus arrhythmia", "sinus rhythm irregularity"),
    ),
    "atrial_fibrillation": Wordings(
        ("Atrial fibrillation", "Atrial fibrillation"), ("Probable atrial fibrillation",), ("atrial fibrillation",)
    ),
    "atrial_flutter": Wordings(
        ("Atrial flutter", "Atrial flutter with variable A-V block", "Atrial flutter with 2:1 AV conduction"),
        ("Probable atrial flutter", "Possible atrial flutter"),
        ("atrial flutter",),
    ),
    "supraventricular_tachycardia": Wordings(
        ("Supraventricular tachycardia", "Narrow QRS tachycardia", "Regular narrow QRS tachycardia"),
        ("Probable supraventricular tachycardia",),
        ("supraventricular tachycardia", "supraventricular tachyarrhythmia", "narrow complex tachycardia"),
    ),
    "paced": Wordings(
        ("Ventricular pacing", "Electronic ventricular pacemaker", "Ventricular-paced rhythm"),
        (),
        ("normal functioning artificial pacemaker", "electronic pacemaker"),
    ),
    "premature_atrial": Wordings(
        ("PACs noted", "with PAC(s)", "with premature atrial complexes", "with supraventricular extrasystoles"),
        ("Occasional PACs",),
        ("atrial premature complex", "premature atrial contraction", "atrial premature beats"),
    ),
    "premature_ventricular": Wordings(
        ("PVCs noted", "with PVC(s)", "with premature ventricular complexes", "with ventricular premature beats"),
        ("Occasional PVCs",),
        ("ventricular premature complexes", "premature ventricular contractions", "ventricular ectopic beats"),
    ),
    "bigeminy": Wordings(
        ("Ventricular bigeminy", "with frequent PVCs in a pattern of bigeminy"),
        (),
        ("ventricular bigeminy", "bigeminal pattern"),
    ),
    "first_degree_av_block": Wordings(
        ("with 1st degree A-V block", "First degree A-V block", "Prolonged PR interval", "with 1st degree AV block"),
        ("Borderline first degree A-V block", "Borderline prolonged PR interval"),
        ("first degree AV block", "first-degree atrioventricular block", "prolonged PR interval"),
    ),
    "lbbb": Wordings(
        ("Left bundle branch block", "LBBB", "Left bundle branch block"),
        (),
        ("left bundle branch block", "complete left bundle branch block"),
    ),
    "rbbb": Wordings(
        ("Right bundle branch block", "RBBB", "Right bundle branch block"),
        (),
        ("right bundle branch block", "complete right bundle branch block"),
    ),
    "incomplete_rbbb": Wordings(
        ("Incomplete right bundle branch block", "IRBBB", "Incomplete RBBB"),
        ("RSR' in V1 or V2 - probable normal variant", "RSR' in V1 suggests right ventricular conduction delay"),
        ("incomplete right bundle branch block",),
    ),
    "incomplete_lbbb": Wordings(
        ("Incomplete left bundle branch block", "ILBBB"), (), ("incomplete left bundle branch block",)
    ),
    "lafb": Wordings(
        ("Left anterior fascicular block", "LAFB", "Left axis deviation - anterior fascicular block"),
        ("Left axis deviation - possible left anterior fascicular block",),
        ("left anterior fascicular block", "left anterior hemiblock"),
    ),
    "ivcd": Wordings(
        ("Nonspecific intraventricular conduction delay", "IV conduction defect", "Intraventricular conduction delay"),
        ("Borderline intraventricular conduction delay",),
        ("non-specific intraventricular conduction disturbance", "non-specific intraventricular block"),
    ),
    "wpw": Wordings(
        ("Wolff-Parkinson-White pattern", "Ventricular preexcitation, WPW pattern", "Ventricular pre-excitation"),
        ("Possible ventricular preexcitation",),
        ("Wolff-Parkinson-White syndrome", "pre-excitation syndrome"),
    ),
    "anterior_infarction": infarct("anterior"),
    "septal_infarction": infarct("anteroseptal"),
    "inferior_infarction": infarct("inferior"),
    "lateral_infarction": infarct("lateral"),
    "posterior_infarction": infarct("posterior"),
    "st_depression": Wordings(
        (
            "{region} ST depression", "ST depression in {region} leads", "ST segment depression",
            "{region} ST depression may be due to myocardial ischemia",
            "{region} ST-T changes may be due to myocardial ischemia",
        ),
        ("Minor {region} ST depression", "Borderline ST depression in {region} leads"),
        ("ST segment depression", "ischemic ST-T changes in {region} leads", "non-specific ST depression"),
    ),
    "st_elevation": Wordings(
        (
            "ST elevation - consider acute injury", "{region} ST elevation", "ST elevation in {region} leads",
            "{region} ST elevation, consider early repolarization",
        ),
        ("Minor {region} ST elevation", "ST elev, probable normal early repol pattern", "Early repolarization"),
        ("ST segment elevation in {region} leads", "ST elevation"),
    ),
    "t_inversion": Wordings(
        (
            "T wave inversion in {region} leads", "{region} T wave inversion", "Inverted T waves in {region} leads",
            "{region} T wave changes may be due to myocardial ischemia",
            "T wave abnormality, consider {region} ischemia",
        ),
        ("Borderline T abnormalities, {region} leads", "Possible {region} T wave inversion"),
        ("inverted T-waves", "T wave inversion", "{region} ischemia", "ischemic in {region} leads"),
    ),
    "low_t": Wordings(
        ("Low T waves", "Flat T waves", "Low amplitude T waves"),
        ("Borderline low T waves",),
        ("low amplitude T-waves", "T wave flattening"),
    ),
    "nonspecific_st": Wordings(
        ("Nonspecific ST changes", "Minor ST changes are nonspecific", "Nonspecific {region} ST changes"),
        ("Minor ST changes are nonspecific", "Borderline ST changes"),
        ("non-specific ST changes", "non-specific ST segment changes"),
    ),
    "nonspecific_t": Wordings(
        (
            "Nonspecific T wave changes", "Nonspecific T abnormalities, {region} leads",
            "{region} T wave changes are nonspecific",
        ),
        ("Borderline T wave abnormalities", "Minor nonspecific T wave changes"),
        ("non-diagnostic T abnormalities", "non-specific T-wave changes", "abnormal T-waves"),
    ),
    "long_qt": Wordings(
        ("Prolonged QT interval", "Long QTc interval", "Prolonged QT"),
        ("Borderline prolonged QT interval",),
        ("long QT-interval", "prolonged QT interval"),
    ),
    "ischemia_anterior": Wordings(
        ("Anterior T wave changes may be due to myocardial ischemia", "T wave abnormality, consider anterior ischemia"),
        ("Possible anterior ischemia", "Anterior T wave changes are nonspecific"),
        ("anterior ischemia", "ischemic in anterior leads", "anterior T-wave changes"),
    ),
    "ischemia_inferior": Wordings(
        ("Inferior T wave changes may be due to myocardial ischemia", "T wave abnormality, consider inferior ischemia"),
        ("Possible inferior ischemia", "Inferior T wave changes are nonspecific"),
        ("inferior ischemia", "ischemic in inferior leads", "inferior T-wave changes"),
    ),
    "lvh": Wordings(
        ("Left ventricular hypertrophy", "LVH", "LVH by voltage", "Left ventricular hypertrophy by voltage"),
        ("Consider left ventricular hypertrophy", "Minimal voltage criteria for LVH, may be normal variant"),
        ("left ventricular hypertrophy", "voltage criteria for left ventricular hypertrophy"),
    ),
    "rvh": Wordings(
        ("Right ventricular hypertrophy", "RVH with secondary repolarization abnormality"),
        ("Possible right ventricular hypertrophy", "Consider right ventricular hypertrophy"),
        ("right ventricular hypertrophy",),
    ),
    "left_atrial_enlargement": Wordings(
        ("Left atrial enlargement", "Left atrial abnormality"),
        ("Possible left atrial abnormality", "Possible left atrial enlargement"),
        ("left atrial enlargement", "left atrial overload", "left atrial hypertrophy"),
    ),
    "right_atrial_enlargement": Wordings(
        ("Right atrial enlargement", "Right atrial abnormality"),
        ("Possible right atrial abnormality", "Consider right atrial abnormality"),
        ("right atrial enlargement", "right atrial overload"),
    ),
    "low_voltage": Wordings(
        ("Low QRS voltages in limb leads", "Generalized low QRS voltages", "Low voltage QRS"),
        ("Borderline low voltage",),
        ("low QRS voltage", "low QRS voltages in the frontal and horizontal leads"),
    ),
    "high_voltage": Wordings(
        ("High QRS voltage", "Voltage criteria for left ventricular hypertrophy", "High QRS voltages"),
        ("Minimal voltage criteria for LVH, may be normal variant",),
        ("high QRS voltage", "high QRS amplitude"),
    ),
    "abnormal_q": Wordings(
        ("Abnormal Q waves", "Q waves, cannot rule out infarct", "Q waves present"),
        ("Q waves may be normal variant",),
        ("Q waves present", "abnormal Q wave"),
    ),
}  # fmt: skip
STRAIN = Wordings(
    (
        "LVH with secondary repolarization abnormality", "LVH with secondary ST-T changes",
        "Left ventricular hypertrophy with repolarization abnormality", "LVH with strain",
    ),
    ("Left ventricular hypertrophy", "LVH by voltage"),
    ("left ventricular hypertrophy with strain pattern", "left ventricular hypertrophy"),
)  # fmt: skip
CLASSES: dict[str, tuple[str, frozenset[str]]] = {
    "myocardial infarction": (
        "myocardial infarction",
        frozenset({"anterior_infarction", "septal_infarction", "inferior_infarction", "lateral_infarction"}),
    ),
    "conduction": (
        "conduction disturbance",
        frozenset(
            {"lbbb", "rbbb", "incomplete_rbbb", "incomplete_lbbb", "lafb", "ivcd", "wpw", "first_degree_av_block"}
        ),
    ),
    "repolarisation": (
        "ST-T changes",
        frozenset({"st_depression", "t_inversion", "nonspecific_st", "nonspecific_t", "ischemia_anterior", "low_t"}),
    ),
    "hypertrophy": ("ventricular hypertrophy", frozenset({"lvh", "rvh"})),
}
"""General statements, and the findings that imply each."""
JOINED: dict[frozenset[str], str] = {
    frozenset({"anterior_infarction", "lateral_infarction"}): "anterolateral",
    frozenset({"anterior_infarction", "septal_infarction"}): "anteroseptal",
    frozenset({"inferior_infarction", "lateral_infarction"}): "inferolateral",
    frozenset({"inferior_infarction", "posterior_infarction"}): "inferoposterior",
}
"""Sites that machines state as one infarction."""
