"""Owns the parts of the page about what stands behind the numbers: training, corpora, versions, what is missing."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cgdmer.page import Child, Html, el, number, section, table, tiles
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.standalone import Panel
from cgdmer.report.gather import Findings
from cgdmer.report.headline import SOURCE_NAMES

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


def training_section(found: Findings) -> Html:
    """Draw each loss term over the steps, with the held-out value after each epoch."""
    if found.curve.is_empty():
        return section("training", "Pretraining", lead="No learning curve was written in this run.")
    facts = found.summary
    shown = tiles([
        ("records trained on", number(facts["records"])),
        ("held-out records", number(facts["held_out"])),
        ("steps", number(facts["steps"])),
        ("parameters", number(facts["parameters"])),
    ])  # fmt: skip
    held_out = pl.DataFrame(facts["epochs"]) if facts["epochs"] else pl.DataFrame()
    figures = [loss_chart(found.curve, held_out, term).figure() for term in TERMS if term in found.curve.columns]
    keys = key([("training", 0), ("held out", 1)])
    lead = "Each term of the loss, averaged over steps while training and measured on held-out records."
    return section("training", "Pretraining", shown, keys, el("div", figures, class_="grid"), lead=lead)


def loss_chart(curve: pl.DataFrame, held_out: pl.DataFrame, term: str) -> Panel:
    steps, values = curve["step"].cast(pl.Float64).to_list(), curve[term].to_list()
    series = [Series("training", steps, values)]
    words = f"from {values[0]:.3g} to {values[-1]:.3g} in {steps[-1]:,.0f} steps"
    if term in held_out.columns:
        last = curve.group_by("epoch", maintain_order=True).agg(pl.col("step").last())
        measured = held_out.join(last, on="epoch", how="inner", maintain_order="left")
        if measured.height:
            series.append(
                Series("held out", measured["step"].cast(pl.Float64).to_list(), measured[term].to_list(), style=1)
            )
            words += f"; held out, {measured[term][-1]:.3g} at the end"
    title = TERMS[term][0].upper() + TERMS[term][1:]
    label = f"{title}, loss term {term}: {words}"
    ticks = [(steps[0], f"{steps[0]:g}"), (steps[-1], f"{steps[-1]:g} steps")]
    drawing = lines(label, series, x_ticks=ticks, dots=False, height=150)
    return Panel(title, drawing, f"{words[0].upper()}{words[1:]}.")


def data_section(found: Findings) -> Html:
    """Draw one row a corpus: where it came from, how it was split, what was set aside, what validation said."""
    order = [name for name in SOURCE_NAMES if name in found.sources]
    rows = [_corpus(name, found.sources[name]) for name in order]
    head = ("Corpus", "Came by", "Split", "Records", "Patients", "Quarantined", "Validation", "Digest")
    content = table(
        "Records are those in the shards; a digest names their exact content.", head, rows, text=(0, 1, 2, 6, 7)
    )
    lead = "What the numbers were made from. A corpus that fails a critical expectation stops the pipeline."
    return section("data", "Data and its validation", content, lead=lead)


def _corpus(name: str, facts: Mapping[str, Any]) -> list[Child]:
    result = facts["validation"]
    state = "failed" if not result["success"] else "warnings" if result["warnings"] else "passed"
    kind = {"failed": "bad", "warnings": "warn", "passed": "good"}[state]
    split = facts["split"].get("kind", "") if isinstance(facts["split"], Mapping) else str(facts["split"])
    warned = ", ".join(result["warnings"])
    verdict = [el("span", state, class_=f"badge {kind}"), el("small", warned, class_="below") if warned else None,
               el("small", el("a", "in full", href=f"validation/{name}/index.html"), class_="below")]  # fmt: skip
    known = result["facts"]
    return [
        SOURCE_NAMES.get(name, name),
        WAYS.get(facts["way"], facts["way"]),
        SPLITS.get(split, split or "–"),
        number(facts["records"]),
        number(known["patients"] if known else None),
        number(facts["quarantined"]),
        verdict,
        el("code", facts["digest"][:12]),
    ]


def versions_section(found: Findings) -> Html:
    rows = [(name, el("code", value)) for name, value in found.versions.items()]
    note = el(
        "p", "Inputs, settings and outputs of every stage are recorded, by content, in ", el("code", "dvc.lock"), "."
    )
    lead = "Code, model and libraries that made this page; `code` is a digest of the package's source files."
    return section(
        "versions", "Versions", table("Versions in use.", ("What", "Version"), rows, text=(0, 1)), note, lead=lead
    )


def missing(found: Findings) -> list[str]:
    """Say what of the published benchmark this run does not reproduce, from the run itself."""
    simulated = [SOURCE_NAMES.get(n, n) for n, facts in found.sources.items() if facts["way"] == "simulate"]
    hashed = [SOURCE_NAMES.get(n, n) for n, facts in found.sources.items()
              if isinstance(facts["split"], Mapping) and facts["split"].get("kind") == "hash"]  # fmt: skip
    partial = [
        f"{SOURCE_NAMES.get(n, n)} ({entry['note']})"
        for n, facts in found.sources.items() if facts["way"] != "simulate"
        for entry in facts["validation"]["expectations"]
        if entry["name"].startswith("label_totals") and "published records" in entry["note"]
    ]  # fmt: skip
    model = found.config.get("model", {})
    lines = []
    if simulated:
        lines.append(
            f"Simulated, not recorded: {', '.join(simulated)}. No number on them says anything about patients."
        )
    if partial:
        lines.append(f"Parts of a corpus: {', '.join(dict.fromkeys(partial))}.")
    if hashed:
        lines.append(f"Split by a hash of the patient, for want of the published split: {', '.join(hashed)}.")
    if model:
        text = model.get("text") or f"a small encoder trained from scratch ({model.get('text_width')} wide)"
        lines.append(
            f"The paper's scale: this model is {model.get('width')} wide and {model.get('depth')} deep, reports are "
            f"read by {text}, and it was trained on {number(found.summary.get('records'))} records."
        )
    lines += [
        "The paper's exact method: its abstract and introduction (arXiv 2602.21154) fix the parts; what they leave "
        "open is ours and listed in ARCHITECTURE.md.",
        "Checkpoints of other groups: none was run here, and published numbers stand apart.",
        "Selection on test or on labelled zero-shot validation sets, as some released code does: left out on purpose.",
    ]
    return lines


def missing_section(found: Findings) -> Html:
    items = [el("li", line) for line in missing(found)]
    return section("missing", "What is not reproduced", el("ul", items, class_="plain"))
