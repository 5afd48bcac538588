"""The section on sets of real recordings, and the same table for a terminal, Markdown and the README."""

from cgdmer.evaluation.intervals import MEASUREMENTS, Measured
from cgdmer.external.results import RealResult, RealTask
from cgdmer.page import Html, el, number, section
from cgdmer.probing import multiplicity
from cgdmer.report import real_few_labels, table
from cgdmer.report.headline import ENCODER_NAMES, MAIN, TASK_NAMES, encoder_order, name_of
from cgdmer.report.measurements import error_text
from cgdmer.report.paired import p_words
from cgdmer.report.table import SEEN_MARK, Content, Stacked, Table, stacked
from cgdmer.results import Interval

TITLE = "Real recordings"
SET_NAMES = {"ptb_xl": "PTB-XL", "ludb": "LUDB", "cpsc2018": "CPSC2018", "csn": "CSN", "code15": "CODE-15%"}
SEEN_NOTE = (
    f"{SEEN_MARK} The corpus is in the pretraining set, so pretraining has read recordings and reports of it. "
    "For a run without it: take it out of pretraining_set.sources in params.yaml, then dvc repro pretrain."
)


def task_name(source: str, task: str) -> str:
    """Return `PTB-XL Super` or `LUDB rhythm`."""
    return TASK_NAMES.get(task, f"{SET_NAMES[source]} {task}")


def tasks(result: RealResult) -> list[tuple[str, str, RealTask]]:
    """Return source, name and result of each task, in the order of the tables; a seen corpus is marked."""
    return [
        (source, task_name(source, task) + (SEEN_MARK if one.in_pretraining else ""), one.tasks[task])
        for source in SET_NAMES
        if (one := result.sets.get(source))
        for task in sorted(
            one.tasks, key=lambda name: (list(TASK_NAMES).index(name) if name in TASK_NAMES else 0, name)
        )
    ]


def encoders_of(result: RealResult) -> list[str]:
    """Return the encoders that were scored, the evaluated one first, then in the order of all tables."""
    names = {name for _, _, task in tasks(result) for name in task.encoders}
    return sorted(names, key=lambda name: (name != result.method, encoder_order(name)))


def task_table(result: RealResult) -> Table:
    """Return macro AUROC of pooled features: a row per task, a column per encoder."""
    encoders = encoders_of(result)
    rows: list[list[Content]] = [
        [name, *(task.encoders.get(encoder, {}).get(MAIN) for encoder in encoders), sizes(task)]
        for _, name, task in tasks(result)
    ]
    head: list[str | Stacked] = ["Real recordings", *map(name_of, encoders), "records, classes"]
    return Table(caption(result), head, rows)


def sizes(task: RealTask) -> str:
    return f"{number(task.records)}, {len(task.positives)}"


def caption(result: RealResult) -> str:
    """Say how the numbers were made."""
    seen = f" {SEEN_NOTE}" if any(one.in_pretraining for one in result.sets.values()) else ""
    pretrained = ", ".join(result.pretrained_on)
    return (
        f"Macro AUROC with 95% intervals over patients; frozen pooled features, {result.folds} folds by patient, "
        f"classes of at least {result.fewest} records; pretrained on {pretrained}.{seen}"
    )


def difference_table(result: RealResult) -> Table:
    """Return the first encoder minus each other one, paired: a row per task."""
    controls, named = [name for name in encoders_of(result) if name != result.method], tasks(result)
    family = {(task, control): one.differences[control] for _, task, one in named for control in one.differences}
    p = dict(zip(family, multiplicity.holm([one.p for one in family.values()]), strict=True))

    def shown(task: str, control: str) -> Content:
        if (one := family.get((task, control))) is None:
            return None
        words = f"p {p_words(p[task, control])} adjusted", f"can show {one.detectable:.3f}"
        return stacked(one.value(signed=True), one.bounds(signed=True), *words)

    rows = [[task, *(shown(task, control) for control in controls)] for _, task, _ in named]
    heads = [f"minus {ENCODER_NAMES.get(control, control)}" for control in controls]
    about = (
        f"Macro AUROC of {name_of(result.method)} minus that of a control, on the same records: difference with 95% "
        "interval, p-value, and the smallest difference that this number of records can show (80% power, alpha 0.05). "
        "None was planned; the p-values of this table are adjusted by Holm as one family."
    )
    return Table(about, ["", *heads], rows)


def measurement_table(result: RealResult) -> list[Table]:
    """Return R² and error of pooled features on the known measurements of each set; none if nothing is known."""
    encoders = sorted({e for one in result.sets.values() for m in one.measurements.values() for e in m.encoders},
                      key=encoder_order)  # fmt: skip
    rows: list[list[Content]] = [
        [f"{SET_NAMES[source]} {MEASUREMENTS[name].title}", *(_measured(name, one, e) for e in encoders),
         error_text(name, Interval(one.baseline, one.baseline, one.baseline)), number(one.n_test)]
        for source in SET_NAMES if source in result.sets
        for name in MEASUREMENTS if (one := result.sets[source].measurements.get(name))
    ]  # fmt: skip
    about = (
        "R² with 95% intervals over patients, then the mean absolute error (of sex the AUROC); ridge on pooled features"
    )
    heads = ["", *map(name_of, encoders), "a constant", "records"]
    return [Table(f"{about}, {result.folds}-fold cross-validation by patient.", heads, rows)] if rows else []


def _measured(name: str, one: Measured, encoder: str) -> Content:
    cell = one.encoders.get(encoder, {}).get(MAIN)
    return None if cell is None else stacked(cell.r2.value(2), cell.r2.bounds(2), error_text(name, cell.error))


def sources_table(result: RealResult) -> Table:
    """Return where each set comes from and how many of its recordings are used."""
    rows: list[list[Content]] = []
    for source in SET_NAMES:
        if one := result.sets.get(source):
            lost = "; ".join(f"{count} {reason}" for reason, count in one.left_out.items()) or "none"
            counts = [number(one.records), number(one.patients)]
            rows.append([one.title, one.version, *counts, lost, one.licence, one.link])
    heads = ["Set", "Version", "Records", "Patients", "Not used", "Licence", "Source"]
    return Table("The sets, as they were at hand: parts of the corpora.", heads, rows, text=(0, 1, 4, 5, 6))


def tables(result: RealResult | None) -> list[Table]:
    """Return all tables; none without a result."""
    if result is None or not tasks(result):
        return []
    return [table for _, table in _titled(result)]


def _titled(result: RealResult) -> list[tuple[str, Table]]:
    named = [(name, task) for _, name, task in tasks(result)]
    return [
        (TITLE, task_table(result)),
        ("Differences", difference_table(result)),
        *(("Few labels or none", one) for one in real_few_labels.few_label_table(named, result.method)),
        *(("Measurements", one) for one in measurement_table(result)),
        ("The sets", sources_table(result)),
    ]


def real_section(result: RealResult | None, model: str) -> Html | None:
    """Draw the tables, the second and later ones folded; None without a result. `model` is the digest of the page's."""
    if result is None or not tasks(result):
        return None
    (_, first), *others = _titled(result)
    folded = [el("details", el("summary", title), table.html(one)) for title, one in others]
    same = "the encoder of this page" if result.encoder == model else f"another encoder than this page's ({model})"
    lead = (
        f"{name_of(result.method)} on recordings of people: frozen features, five folds by patient, paired with the "
        f"controls. Written by the command external-validation with weights {result.encoder}, {same}."
    )
    curves = real_few_labels.curves([(name, task) for _, name, task in tasks(result)], result.method)
    return section("real", TITLE, table.html(first), curves or [], folded, lead=lead)


def headline(result: RealResult) -> str:
    """Return the tables for a terminal."""
    return "\n\n".join(table.text(one) for one in tables(result)[:-1]) or "no task has enough records"
