"""SCP-ECG statements of a finding, as a cardiologist of PTB-XL would code it, with their likelihoods."""

import numpy as np

from cgdmer.demo_corpora.drawing import draw_codes, pick, with_slips
from cgdmer.simulator import Case

CODES: dict[str, dict[str, float]] = {
    "sinus_rhythm": {"SR": 0.98, "": 0.02},
    "sinus_bradycardia": {"SBRAD": 1},
    "sinus_tachycardia": {"STACH": 1},
    "sinus_arrhythmia": {"SARRH": 1},
    "atrial_fibrillation": {"AFIB": 1},
    "atrial_flutter": {"AFLT": 1},
    "supraventricular_tachycardia": {"SVTAC": 0.55, "PSVT": 0.45},
    "paced": {"PACE": 1},
    "premature_atrial": {"PAC": 0.78, "PAC SVARR": 0.15, "PRC(S)": 0.07},
    "premature_ventricular": {"PVC": 0.95, "PRC(S)": 0.05},
    "bigeminy": {"PVC BIGU": 1},
    "first_degree_av_block": {"1AVB": 0.7, "LPR": 0.3},
    "lbbb": {"CLBBB": 1},
    "rbbb": {"CRBBB": 1},
    "incomplete_rbbb": {"IRBBB": 1},
    "incomplete_lbbb": {"ILBBB": 1},
    "lafb": {"LAFB": 1},
    "ivcd": {"IVCD": 1},
    "wpw": {"WPW": 1},
    "anterior_infarction": {"AMI": 0.3, "AMI QWAVE": 0.2, "ALMI": 0.3, "ALMI ABQRS": 0.1, "INJAL": 0.1},
    "septal_infarction": {"ASMI": 0.5, "ASMI ABQRS": 0.4, "INJAS": 0.1},
    "inferior_infarction": {"IMI": 0.4, "IMI QWAVE": 0.2, "IMI ABQRS": 0.2, "ILMI": 0.15, "IPLMI": 0.05},
    "lateral_infarction": {"LMI": 0.9, "INJLA": 0.1},
    "posterior_infarction": {"PMI": 1},
    "st_depression": {"STD_": 0.75, "STD_ DIG": 0.25},
    "st_elevation": {"STE_": 1},
    "t_inversion": {"INVT": 0.9, "INVT TAB_": 0.1},
    "low_t": {"LOWT": 1},
    "nonspecific_st": {"NST_": 1},
    "nonspecific_t": {"NDT": 0.65, "NT_": 0.25, "TAB_": 0.1},
    "long_qt": {"LNGQT": 1},
    "ischemia_anterior": {"ISCAL": 0.45, "ISC_": 0.25, "ISCAS": 0.15, "ISCLA": 0.1, "ISCAN": 0.05},
    "ischemia_inferior": {"ISCIN": 0.5, "ISCIL": 0.35, "ISC_": 0.15},
    "lvh": {"LVH": 0.5, "LVH VCLVH": 0.3, "VCLVH": 0.14, "LVH SEHYP": 0.06},
    "rvh": {"RVH": 1},
    "left_atrial_enlargement": {"LAO/LAE": 1},
    "right_atrial_enlargement": {"RAO/RAE": 1},
    "low_voltage": {"LVOLT": 1},
    "high_voltage": {"HVOLT": 1},
    "abnormal_q": {"QWAVE": 0.6, "QWAVE ABQRS": 0.4},
    "normal": {"NORM": 1},
}
"""Codes of each finding, with their probabilities. No finding leads to TRIGU, 2AVB, 3AVB, LPFB and a few others."""

PLAUSIBLE = ("NDT", "NST_", "LVH", "IRBBB", "IMI", "ASMI", "LAFB", "ABQRS", "LOWT", "PVC")
"""Codes that a slip may add."""
NEARLY_NORMAL = frozenset({"SR", "SBRAD", "STACH", "SARRH", "LVOLT", "HVOLT", "PAC"})
"""A record that has only these codes mostly gets NORM too, with a likelihood of 80."""

_LIKELIHOODS = {"100": 0.75, "80": 0.08, "50": 0.17}
_INFARCTION_LIKELIHOODS = {"100": 0.5, "80": 0.06, "50": 0.24, "35": 0.05, "15": 0.15}
"""Likelihoods in percent, with their probabilities."""


def likelihoods(case: Case, diagnostic: frozenset[str], random: np.random.Generator) -> dict[str, float]:
    """Return the likelihood of each code in percent; it is 0 unless the code is diagnostic, as in the real corpus."""
    codes = with_slips(draw_codes(case, CODES, random), PLAUSIBLE, "NORM", random)
    nearly = set(codes) <= NEARLY_NORMAL and random.random() < 0.6
    weights = {
        code: _INFARCTION_LIKELIHOODS if code.endswith("MI") else _LIKELIHOODS for code in codes if code in diagnostic
    }
    drawn = {code: float(pick(random, weights[code])) if code in weights else 0.0 for code in codes}
    return {**({"NORM": 80.0} if nearly else {}), **drawn}
