"""Text of a simulated German report in the style of PTB-XL: lower case, with little punctuation."""

import numpy as np

from cgdmer.simulator import FINDINGS, Case

SLIP = 0.03
"""Probability that a report omits one finding."""

PHRASES: dict[str, tuple[str, ...]] = {
    "sinus_rhythm": ("sinusrhythmus", "regelmäßiger sinusrhythmus", "sinusrhythmus"),
    "sinus_bradycardia": ("sinusbradykardie", "bradykarder sinusrhythmus"),
    "sinus_tachycardia": ("sinustachykardie", "tachykarder sinusrhythmus"),
    "sinus_arrhythmia": ("sinusarrhythmie", "respiratorische sinusarrhythmie"),
    "atrial_fibrillation": ("vorhofflimmern", "absolute arrhythmie bei vorhofflimmern"),
    "atrial_flutter": ("vorhofflattern", "vorhofflattern mit wechselnder überleitung"),
    "supraventricular_tachycardia": ("supraventrikuläre tachykardie", "schmalkomplextachykardie"),
    "paced": ("schrittmacher-ekg", "ventrikuläre schrittmacherstimulation"),
    "premature_atrial": ("supraventrikuläre extrasystolen", "einzelne vorhofextrasystolen"),
    "premature_ventricular": ("ventrikuläre extrasystolen", "einzelne ventrikuläre extrasystolen"),
    "bigeminy": ("ventrikulärer bigeminus", "ventrikuläre extrasystolen als bigeminus"),
    "first_degree_av_block": ("av-block i. grades", "verlängerte pq-zeit, av-block 1. grades"),
    "lbbb": ("linksschenkelblock", "kompletter linksschenkelblock"),
    "rbbb": ("rechtsschenkelblock", "kompletter rechtsschenkelblock"),
    "incomplete_rbbb": ("inkompletter rechtsschenkelblock", "unvollständiger rechtsschenkelblock"),
    "incomplete_lbbb": ("inkompletter linksschenkelblock", "unvollständiger linksschenkelblock"),
    "lafb": ("linksanteriorer hemiblock", "überdrehter linkstyp, linksanteriorer hemiblock"),
    "ivcd": ("intraventrikuläre leitungsverzögerung", "unspezifische intraventrikuläre leitungsstörung"),
    "wpw": ("präexzitation vom wpw-typ", "delta-welle, wpw-syndrom"),
    "anterior_infarction": ("vorderwandinfarkt, alter unbestimmt", "zustand nach vorderwandinfarkt"),
    "septal_infarction": ("anteroseptaler infarkt, alter unbestimmt", "r-verlust in v1 bis v3, septaler infarkt"),
    "inferior_infarction": ("hinterwandinfarkt, wahrscheinlich alt", "inferiorer infarkt, alter unbestimmt"),
    "lateral_infarction": ("seitenwandinfarkt", "lateraler infarkt, alter unbestimmt"),
    "posterior_infarction": ("posteriorer infarkt", "strikt posteriorer infarkt möglich"),
    "st_depression": ("st-senkung", "deszendierende st-senkung in den linken brustwandableitungen"),
    "st_elevation": ("st-hebung", "leichte st-hebung"),
    "t_inversion": ("t-negativierung", "negative t-wellen"),
    "low_t": ("flache t-wellen", "t-abflachung"),
    "nonspecific_st": ("unspezifische st-veränderungen", "geringe st-veränderungen"),
    "nonspecific_t": ("unspezifische t-veränderungen", "unspezifisch abnormes t"),
    "long_qt": ("qt-verlängerung", "verlängerte qt-zeit"),
    "ischemia_anterior": ("anterolaterale ischämie möglich", "t-veränderungen wie bei vorderwandischämie"),
    "ischemia_inferior": ("inferiore ischämie möglich", "t-veränderungen wie bei hinterwandischämie"),
    "lvh": ("linkshypertrophie", "amplitudenkriterien für linkshypertrophie", "zeichen der linksherzhypertrophie"),
    "rvh": ("rechtshypertrophie", "zeichen der rechtsherzbelastung"),
    "left_atrial_enlargement": ("p-sinistroatriale", "linksatriale belastung"),
    "right_atrial_enlargement": ("p-dextroatriale", "rechtsatriale belastung"),
    "low_voltage": ("periphere niedervoltage", "niederspannung in den extremitätenableitungen"),
    "high_voltage": ("hohe qrs-amplituden", "hochvoltage"),
    "abnormal_q": ("auffällige q-zacken", "pathologische q-zacken"),
}


def report(case: Case, unconfirmed: bool, random: np.random.Generator) -> str:
    """Return rhythm, axis, findings and a conclusion; `unconfirmed` adds that no cardiologist confirmed it."""
    stated = [name for name in FINDINGS if name in case.findings and name in PHRASES]
    if len(stated) > 1 and random.random() < SLIP:
        stated.pop(int(random.integers(1, len(stated))))
    words = [PHRASES[name][int(random.integers(len(PHRASES[name])))] for name in stated]
    if random.random() < 0.7 and case.rhythm != "paced":
        words.insert(1, axis(case.axis))
    words.append(_conclusion(case, random))
    return " ".join([*filter(None, words), *(["unbestätigter bericht"] if unconfirmed else [])])


def axis(degrees: float) -> str:
    """Return the German name of an axis in degrees."""
    bounds = ((-30, "überdrehter linkstyp"), (30, "linkstyp"), (90, "lagetyp normal"), (120, "rechtstyp"))
    return next((name for bound, name in bounds if degrees < bound), "überdrehter rechtstyp")


def _conclusion(case: Case, random: np.random.Generator) -> str:
    if "normal" in case.findings:
        return ("normales ekg", "sonst normales ekg", "unauffälliges ekg")[int(random.integers(3))]
    return "pathologisches ekg" if random.random() < 0.4 else ""
