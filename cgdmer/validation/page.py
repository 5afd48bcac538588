"""The validation page of one corpus: verdict, expectations, quarantined records, repeated signals and facts."""

from collections.abc import Mapping
from typing import Any

from cgdmer.page import Child, Html, document, el, figure, number, section, table, tiles
from cgdmer.page.charts import bars

BADGES = {
    "failed": ("bad", "failed"),
    "warning": ("warn", "warning"),
    "flagged": ("warn", "flagged"),
    "passed": ("good", "passed"),
    "not applicable": (None, "not applicable"),
}
ORDER = list(BADGES)
SHOWN = 5
"""Most examples in a row of the table."""
PAIRS = 200
"""Most groups of identical signals on the page; result.json has all."""


def render(result: Mapping[str, Any]) -> str:
    """Return the self-contained page of a validation result."""
    source = str(result["source"])
    sections = [_expectations(result), _quarantined(result), _duplicates(result), _facts(result)]
    header = el(
        "header", el("p", "Data validation", class_="kicker"), el("h1", source), _verdict(result), _tiles(result)
    )
    footer = el(
        "footer", el("p", "Written by the stage validate; result.json in the same folder holds the full results.")
    )
    return document(f"{source}: data validation", header, el("main", sections), footer, description=_sentence(result))


def _sentence(result: Mapping[str, Any]) -> str:
    failed, warned = len(result["critical_failed"]), len(result["warnings"])
    if failed:
        return f"{failed} critical expectation{_s(failed)} failed: no later stage may run."
    return "Every critical expectation holds" + (f"; {warned} warning{_s(warned)}." if warned else ".")


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _verdict(result: Mapping[str, Any]) -> Html:
    failed = result["critical_failed"]
    if not failed:
        return el("p", badge("passed" if not result["warnings"] else "warning"), " ", _sentence(result))
    commands = [el("li", el("code", f"python -m cgdmer check {result['source']} --failed {name}")) for name in failed]
    return el("div", el("p", badge("failed"), " ", _sentence(result), " See the rows with:"),
              el("ul", commands, class_="plain"), class_="note bad")  # fmt: skip


def badge(state: str) -> Html:
    kind, word = BADGES[state]
    return el("span", word, class_=f"badge {kind}" if kind else "badge")


def _tiles(result: Mapping[str, Any]) -> Html:
    entries = result["expectations"]
    passed = sum(entry["state"] in ("passed", "flagged") for entry in entries)
    applicable = sum(entry["applicable"] for entry in entries)
    facts = result["facts"]
    return tiles([
        ("records in the shards", number(result["records"])),
        ("patients", number(facts["patients"]) if facts else "–"),
        ("quarantined", number(sum(result["quarantined"].values()))),
        ("expectations that hold", f"{passed} of {applicable}"),
        ("warnings", number(len(result["warnings"]))),
        ("signals that repeat", number(len(result["duplicates"]))),
    ])  # fmt: skip


def _expectations(result: Mapping[str, Any]) -> Html:
    entries = sorted(result["expectations"], key=lambda entry: ORDER.index(entry["state"]))
    head = ("Expectation", "Outcome", "Observed", "Rows outside", "Examples")
    content = table(
        "Failures first. A critical failure stops the pipeline; flagged rows are fewer than the expectation allows.",
        head, [_row(entry) for entry in entries], text=(0, 1, 2, 4),
    )  # fmt: skip
    return section("expectations", "Expectations", content)


def _row(entry: Mapping[str, Any]) -> list[Child]:
    name: list[Child] = [entry["says"], el("small", f"{entry['name']} · {entry['severity']}", class_="below")]
    if not entry["applicable"]:
        return [name, badge(entry["state"]), el("span", entry["note"], class_="soft"), "–", ""]
    count, share = entry["unexpected_count"], entry["unexpected_share"]
    rows = number(count) + (f" ({share:.1%})" if count else "")
    pairs = list(zip(entry["examples"], entry["values"], strict=True))[:SHOWN]
    examples = [
        [", " if position else "", text, el("span", f" {value}", class_="soft")]
        for position, (text, value) in enumerate(pairs)
    ]
    return [name, badge(entry["state"]), entry["observed"], rows, examples]


def _quarantined(result: Mapping[str, Any]) -> Html:
    reasons = sorted(result["quarantined"].items(), key=lambda item: (-item[1], item[0]))
    if not reasons:
        return section("quarantined", "Quarantined records", lead="No record was quarantined.")
    content = table(
        "Records that cannot be used, by reason.", ("Reason", "Records"), [(r, number(n)) for r, n in reasons]
    )
    return section(
        "quarantined",
        "Quarantined records",
        content,
        lead="Records that cannot be used are quarantined and counted, each with a reason.",
    )


def _duplicates(result: Mapping[str, Any]) -> Html:
    groups = result["duplicates"]
    if not groups:
        return section("duplicates", "Signals that repeat", lead="No two records hold the same signal.")
    hidden = len(groups) - PAIRS
    items = [el("li", " = ".join(group)) for group in groups[:PAIRS]]
    more = el("p", f"{number(hidden)} more in result.json.") if hidden > 0 else None
    lead = f"Bit-identical signals that occur in more than one record: {number(len(groups))}."
    return section("duplicates", "Signals that repeat", el("ul", items, class_="plain columns"), more, lead=lead)


def _facts(result: Mapping[str, Any]) -> Html | None:
    facts = result["facts"]
    if not facts:
        return None
    counts = {"Records by split": facts["splits"], "Records by sex": facts["sexes"]}
    counts |= {f"Positives in {task}": labels for task, labels in facts["labels"].items()}
    figures = [figure(bars(_alternative(name, values), list(values.items())), name) for name, values in counts.items()]
    charts = el("div", figures, class_="grid")
    content = [_percentiles(facts), charts, _reports(facts["reports"]), _index_facts(facts["index"])]
    return section("facts", "The corpus", content, lead="Its contents as later stages will read them.")


def _alternative(title: str, values: Mapping[str, int]) -> str:
    """Return the text alternative of a bar chart."""
    return f"{title}: " + ", ".join(f"{name} {value}" for name, value in values.items())


def _percentiles(facts: Mapping[str, Any]) -> Html:
    percentiles = {
        "age, years": facts["age"],
        "report length, words": facts["reports"]["words"],
        "largest amplitude, mV": facts["signal"]["amplitude_mv"],
        "lead identity residual, µV": facts["signal"]["identity_uv"],
    }
    rows = [[name, *(f"{value:g}" for value in values.values())] for name, values in percentiles.items() if values]
    return table("Percentiles over records.", ("", "5th", "median", "95th"), rows)


def _reports(reports: Mapping[str, Any]) -> Html:
    if not reports["present"]:
        return el("p", "The corpus has no free-text reports.")
    caption = (
        f"{number(reports['present'])} reports, {number(reports['distinct'])} of them distinct; "
        f"{number(reports['repeating'])} records have a report that another record has too. The most frequent:"
    )
    rows = [(text, number(count)) for text, count in reports["frequent"]]
    return table(caption, ("Report", "Records"), rows or [("not shown (validation.examples in params.yaml)", "")])


def _index_facts(index_facts: Mapping[str, Any]) -> Html | None:
    if not index_facts:
        return None
    rows = list(_flat(index_facts))
    return el("details", el("summary", "Facts from the index stage"),
              table("Counts and settings.", ("", ""), rows, text=(0, 1)))  # fmt: skip


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return nested facts as dotted names and values."""
    if isinstance(value, Mapping):
        return [item for key in sorted(value) for item in _flat(value[key], f"{path}.{key}" if path else str(key))]
    return [(path, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]
