"""Report of a case of the clinical population: wordings that fit degree and region, sometimes a label's plain name."""

from cgdmer.simulator.clinical_case import Clinical
from cgdmer.simulator.clinical_wordings import CLASSES, JOINED, STRAIN, WORDINGS, Wordings, acute_infarct, infarct
from cgdmer.simulator.draws import Draws
from cgdmer.simulator.findings import FINDINGS, INFARCTIONS, Case

BORDERLINE = 0.25
"""Degree below which a finding is stated as borderline or possible."""
OMITTED = 0.35
"""Probability that a finding of the lowest degree is not stated; it falls to 0 at `BORDERLINE`."""
LABEL_SHARE = 0.22
"""Probability that a statement is a plain label instead of a machine's wording."""
CLASS_SHARE = 0.15
"""Probability that a report adds a general statement such as "conduction disturbance"."""
SLIP = 0.02
"""Probability that a report states a finding that is absent."""


def clinical_lines(case: Case, own: Clinical, random: Draws) -> list[str]:
    """Return the lines of one report: findings in the usual order, axis, verdict."""
    stated = [name for name in FINDINGS if name in case.findings and name != "normal"]
    stated = [name for index, name in enumerate(stated) if index == 0 or not _omitted(name, own, random)]
    if random.random() < SLIP:
        stated.append(random.choice(("nonspecific_st", "nonspecific_t", "lvh", "left_atrial_enlargement")))
    lines = _statements(list(dict.fromkeys(stated)), case, own, random)
    if case.axis < -30 and "lafb" not in case.findings and case.rhythm != "paced":
        lines.append(random.choice(("Left axis deviation", "Leftward axis", "left axis deviation")))
    elif case.axis > 90:
        lines.append(random.choice(("Right axis deviation", "Rightward axis")))
    for text, implied_by in CLASSES.values():
        if implied_by & set(stated) and random.random() < CLASS_SHARE:
            lines.append(text)
    return [*lines, _verdict(case, own, len(stated), random)]


def _omitted(name: str, own: Clinical, random: Draws) -> bool:
    """Return True if a finding is too slight to be stated; findings without borderline wordings are always stated."""
    degree = own.degree(name)
    return bool(WORDINGS[name].hedged) and random.random() < OMITTED * (1 - degree / BORDERLINE)


def _statements(stated: list[str], case: Case, own: Clinical, random: Draws) -> list[str]:
    """Return a statement per finding; two infarcted sites that have one name become one statement."""
    joined = next((pair for pair in JOINED if pair <= set(stated)), frozenset())
    lines = []
    for name in stated:
        if name in joined and name != min(joined):
            continue
        if name == "st_elevation" and own.acute and case.findings & set(INFARCTIONS) and random.random() < 0.6:
            continue  # stated as an acute infarction
        lines.append(_worded(_wordings(name, JOINED.get(joined, "") if name in joined else "", own), name, own, random))
        if name in ("atrial_fibrillation", "atrial_flutter") and random.random() < 0.6:
            lines[-1] += _response(case)
    return lines


def _wordings(name: str, site: str, own: Clinical) -> Wordings:
    """Return the wordings of a finding of this heart; `site` names infarctions that are stated together."""
    if name in INFARCTIONS and (site or own.acute):
        return (acute_infarct if own.acute else infarct)(site or _site(name))
    if name == "lvh" and own.strain > 0.4:
        return STRAIN
    return WORDINGS[name]


def _site(name: str) -> str:
    return "anteroseptal" if name == "septal_infarction" else name.split("_")[0]


def _worded(wordings: Wordings, name: str, own: Clinical, random: Draws) -> str:
    if random.random() < LABEL_SHARE:
        words = random.choice(wordings.label)
    elif wordings.hedged and random.random() < 1.5 - own.degree(name) / BORDERLINE:
        words = random.choice(wordings.hedged)
    else:
        words = random.choice(wordings.clear)
    region = own.regions.get(name, "")
    filled = words.format(region=region) if region else words.replace("{region} ", "").replace(" in {region} leads", "")
    return filled[0].upper() + filled[1:] if words[0] == "{" else filled


def _response(case: Case) -> str:
    """Return the ventricular response of a fibrillating or fluttering heart, if it is not usual."""
    if case.heart_rate > 100:
        return " with rapid ventricular response"
    return " with slow ventricular response" if case.heart_rate < 60 else ""


def _verdict(case: Case, own: Clinical, stated: int, random: Draws) -> str:
    """Return the closing line of a report that states `stated` findings."""
    if "normal" in case.findings and stated == 1:
        return "Normal ECG"
    mild = {"nonspecific_st", "nonspecific_t", "low_t", "premature_atrial", "incomplete_rbbb", "sinus_bradycardia"}
    severe = [
        name
        for name in case.findings - mild - {"normal", "sinus_rhythm", "sinus_arrhythmia"}
        if own.degree(name) > BORDERLINE or not WORDINGS[name].hedged
    ]
    if not severe and random.random() < 0.75:
        return random.choice(("Borderline ECG", "Borderline ECG", "Otherwise normal ECG"))
    return "Abnormal ECG"
