"""The sections of the benchmark page on training, corpora, versions and what is not reproduced."""

import polars as pl

from cgdmer.page import Html, el, number, section, tiles
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.standalone import Panel
from cgdmer.report import table
from cgdmer.report.gather import Corpus, Findings
from cgdmer.report.headline import SOURCE_NAMES
from cgdmer.report.table import Badge, Code, Content, Table

TERMS = {
    "loss": "all terms, weighted",
    "contrastive": "alignment with reports",
    "ecg_reconstruction": "masked ECG",
    "report_reconstruction": "masked words",
    "orthogonality": "dependence of shared and specific",
    "cross_reconstruction": "ECG from the report",
}
SPLITS = {"published": "published", "hash": "hash of the patient", "folds": "published folds"}
WAYS = {"simulate": "simulated", "local": "local copy", "download": "downloaded"}


def training_section(findings: Findings) -> Html:
    """Draw each loss term over the steps, with the held-out value after each epoch."""
    if findings.curve.is_empty():
        return section("training", "Pretraining", lead="This run wrote no learning curve.")
    facts = findings.summary
    shown = tiles([
        ("records trained on", number(facts["records"])),
        ("held-out records", number(facts["held_out"])),
        ("steps", number(facts["steps"])),
        ("parameters", number(facts["parameters"])),
    ])  # fmt: skip
    held_out = pl.DataFrame(facts["epochs"]) if facts["epochs"] else pl.DataFrame()
    figures = [loss_chart(findings.curve, held_out, term).figure() for term in TERMS if term in findings.curve.columns]
    keys = key([("training", 0), ("held out", 1)])
    lead = "Each term of the loss, averaged over steps while training and measured on held-out records."
    return section("training", "Pretraining", shown, keys, el("div", figures, class_="grid"), lead=lead)


def loss_chart(curve: pl.DataFrame, held_out: pl.DataFrame, term: str) -> Panel:
    steps, values = curve["step"].cast(pl.Float64).to_list(), curve[term].to_list()
    series = [Series("training", steps, values)]
    text = f"from {values[0]:.3g} to {values[-1]:.3g} in {steps[-1]:,.0f} steps"
    if term in held_out.columns:
        last = curve.group_by("epoch", maintain_order=True).agg(pl.col("step").last())
        measured = held_out.join(last, on="epoch", how="inner", maintain_order="left")
        if measured.height:
            series.append(
                Series("held out", measured["step"].cast(pl.Float64).to_list(), measured[term].to_list(), style=1)
            )
            text += f"; held out, {measured[term][-1]:.3g} at the end"
    title = TERMS[term][0].upper() + TERMS[term][1:]
    label = f"{title}, loss term {term}: {text}"
    ticks = [(steps[0], f"{steps[0]:g}"), (steps[-1], f"{steps[-1]:g} steps")]
    drawing = lines(label, series, x_ticks=ticks, dots=False, height=150)
    return Panel(title, drawing, f"{text[0].upper()}{text[1:]}.")


def data_table(findings: Findings) -> Table:
    """Return one row per corpus: origin, split, sizes and the verdict of the validation."""
    rows = [_corpus(name, findings.sources[name]) for name in SOURCE_NAMES if name in findings.sources]
    head = ("Corpus", "Origin", "Split", "Records", "Patients", "Quarantined", "Validation", "Digest")
    caption = "Records are those in the shards; a digest identifies their exact content."
    return Table(caption, head, rows, text=(0, 1, 2, 6, 7))


def data_section(findings: Findings) -> Html:
    """Draw the table of corpora."""
    lead = "The data behind the numbers. A corpus that fails a critical expectation stops the pipeline."
    return section("data", "Data and its validation", table.html(data_table(findings)), lead=lead)


def _corpus(name: str, corpus: Corpus) -> list[Content]:
    state, tone = (
        ("failed", "bad") if not corpus.passed else ("warnings", "warn") if corpus.warnings else ("passed", "good")
    )
    return [
        SOURCE_NAMES.get(name, name),
        WAYS.get(corpus.way, corpus.way),
        SPLITS.get(corpus.split, corpus.split or "–"),
        number(corpus.records),
        number(corpus.patients),
        number(corpus.quarantined),
        Badge(state, tone, ", ".join(corpus.warnings), f"validation/{name}/index.html"),
        Code(corpus.digest[:12]),
    ]


def versions_table(findings: Findings) -> Table:
    """Return the versions of code, model and libraries."""
    rows: list[list[Content]] = [[name, Code(value)] for name, value in findings.versions.items()]
    return Table("Versions in use.", ("What", "Version"), rows, text=(0, 1))


def versions_section(findings: Findings) -> Html:
    """Draw the versions."""
    note = el(
        "p", "Inputs, settings and outputs of every stage are recorded by content in ", el("code", "dvc.lock"), "."
    )
    lead = "Code, model and libraries behind this page; `code` is a digest of the package's source files."
    return section("versions", "Versions", table.html(versions_table(findings)), note, lead=lead)


def simulated(findings: Findings) -> list[str]:
    """Return a warning that names the simulated corpora; none if there is no such corpus."""
    names = [SOURCE_NAMES.get(name, name) for name, one in findings.sources.items() if one.way == "simulate"]
    return (
        [f"Simulated, not recorded: {', '.join(names)}. No number on them says anything about patients."]
        if names
        else []
    )


def missing(findings: Findings) -> list[str]:
    """Return what this run does not reproduce of the published benchmark, one sentence each."""
    corpora = {SOURCE_NAMES.get(name, name): corpus for name, corpus in findings.sources.items()}
    hashed = [name for name, corpus in corpora.items() if corpus.split == "hash"]
    partial = [
        f"{name} ({note})" for name, corpus in corpora.items() if corpus.way != "simulate" for note in corpus.partial
    ]
    model = findings.config.get("model", {})
    lines = simulated(findings)
    if partial:
        lines.append(f"Incomplete corpora: {', '.join(dict.fromkeys(partial))}.")
    if hashed:
        lines.append(
            f"Split by a hash of the patient, because the published split is not available: {', '.join(hashed)}."
        )
    if model:
        text = model.get("text") or f"a small encoder trained from scratch ({model.get('text_width')} wide)"
        lines.append(
            f"The paper's scale: this model is {model.get('width')} wide and {model.get('depth')} deep, its report "
            f"encoder is {text}, and it was trained on {number(findings.summary.get('records'))} records."
        )
    lines += [
        "The paper's exact method: its abstract and introduction (arXiv 2602.21154) fix the components; the "
        "choices they leave open are ours and listed in docs/method.md.",
        others(findings),
        "Selection on test or on labelled zero-shot validation sets, as in some released code: omitted on purpose.",
    ]
    return lines


def others(findings: Findings) -> str:
    """Say which encoders of other groups were run, and what that does not reproduce."""
    names = ", ".join(origin.title for origin in findings.origins.values())
    if not names:
        return "Checkpoints of other groups: none was run here, and published numbers are shown separately."
    return (
        f"Papers of other groups: {names} were run here with their published weights, in this package's code and "
        "protocol. Numbers of their papers are shown separately unless they are like for like."
    )


def missing_section(findings: Findings) -> Html:
    """Draw the list of what is not reproduced."""
    items = [el("li", line) for line in missing(findings)]
    return section("missing", "What is not reproduced", el("ul", items, class_="plain"))
