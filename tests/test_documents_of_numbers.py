"""The numbers and names in README.md and ARCHITECTURE.md are those of reports/, dvc.yaml and the tree."""

import json
import re
from pathlib import Path

import yaml
from support import closure
from support.committed import committed

from cgdmer import tables
from cgdmer.external.results import RealResult
from cgdmer.metrics_json import Metrics
from cgdmer.probing import multiplicity
from cgdmer.report import real

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()
LINES_OF_CODE = re.compile(r"^\| `(\w+)` \|[^|]*\|[^|]*\| ([\d,]+) \|$", re.M)


def test_lines_of_code_per_stage_are_current():
    """Within 10 % or 200 lines; `python -m tests.support.closure` prints what they are."""
    stated = dict(LINES_OF_CODE.findall(ARCHITECTURE))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stated) == list(stages)
    lines = closure.lines_by_stage()
    stale = {name: lines[name] for name, text in stated.items() if off(int(text.replace(",", "")), lines[name])}
    assert stale == {}, "python -m tests.support.closure"


def off(stated, real):
    return abs(stated - real) > max(200, 0.1 * real)


HEADLINE_COLUMNS = ("cgdmer", "cgdmer_base", "random", "random_resnet18", "handcrafted")


def test_the_headline_table_holds_the_numbers_of_the_reports():
    metrics = committed("reports/metrics.json")
    rows = re.findall(r"^\| ([\w -]+) \| ([\d.]+ \[.*) \| (\d+) \|$", README, re.M)
    tasks = [name.lower().replace("-", "_").replace(" ", "_") for name, _, _ in rows]
    assert tasks == list(tables.TASKS)
    headline = Metrics.from_json(metrics)
    for task, (_, columns, n_test) in zip(tasks, rows, strict=True):
        cells = metrics["auroc"][task]["1.0"]
        wanted = [*(cells[name][headline.main(name)] for name in HEADLINE_COLUMNS), metrics["zero_shot"][task]]
        assert columns.split(" | ") == [shown(cell) for cell in wanted]
        assert int(n_test) == wanted[0]["n_test"]


def test_the_means_over_the_tasks_are_those_of_the_reports():
    means, text = committed("reports/headline.json")["auroc"], " ".join(README.split())
    full, tenth, hundredth = (
        [f"{means[f'{encoder} {share}']:.3f}" for encoder in ("cgdmer", "random_resnet18", "handcrafted")]
        for share in ("1.0", "0.1", "0.01")
    )
    assert f"Its mean over the tasks is {full[0]}; that of a ResNet18 that was never trained is {full[1]}" in text
    assert f"that of hand-crafted features {full[2]}" in text
    assert "With 10 % of the labels they are {}, {} and {}, with 1 % {}, {} and {}".format(*tenth, *hundredth) in text
    base = [f"{means[f'cgdmer_base {share}']:.3f}" for share in ("1.0", "0.1", "0.01")]
    assert "has {}, {} and {}, and is ahead of hand-crafted features on all seven tasks".format(*base) in text
    cells, choice = committed("reports/metrics.json")["auroc"], Metrics.from_json(committed("reports/metrics.json"))
    ours, control = choice.main("cgdmer_base"), choice.main("handcrafted")
    assert all(share["cgdmer_base"][ours]["mean"] > share["handcrafted"][control]["mean"]
               for shares in cells.values() for share in shares.values())  # fmt: skip


REAL_COLUMNS = ("cgdmer_base", "cgdmer", "random", "random_resnet18", "handcrafted")


def test_the_table_of_real_recordings_holds_the_numbers_of_its_report():
    result = RealResult.from_json(committed("reports/real.json"))
    rows = re.findall(r"^\| ([\w -]+) \| ([01]\.\d+ \[.*\]) \| (\d+), (\d+) \|$", README, re.M)
    scored = real.tasks(result)
    assert [name for name, *_ in rows] == [name for _, name, _ in scored]
    for (_, columns, records, classes), (_, _, task) in zip(rows, scored, strict=True):
        cells = [task.encoders[name]["pooled"] for name in REAL_COLUMNS]
        assert columns.split(" | ") == [shown(cell.to_json()) for cell in cells]
        assert (int(records), int(classes)) == (task.records, len(task.positives))


def test_sentences_about_real_recordings_hold_the_numbers_of_their_reports():
    """The page says the same; here the words of the README are built again from the reports."""
    result, text = RealResult.from_json(committed("reports/real.json")), " ".join(README.split())
    gaps = result.sets["ptb_xl"].tasks["ptb_xl_super"].differences
    for words, control in (
        ("the random transformer is", "random"),
        ("the random ResNet18", "random_resnet18"),
        ("hand-crafted features", "handcrafted"),
    ):
        gap = gaps[control]
        assert f"minus {words} {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" in text
    measured = result.sets["ludb"].measurements
    for words, name in (
        ("RR interval", "rr"),
        ("QRS duration", "qrs"),
        ("QT interval", "qt"),
        ("QRS axis", "qrs_axis"),
        ("PR interval", "pr"),
    ):
        ours, control = (measured[name].encoders[e]["pooled"].r2.mean for e in ("cgdmer_base", "handcrafted"))
        assert f"{words} {ours:.2f} ({control:.2f})" in text
    folds = committed("reports/folds/ptb_xl_super.json")
    with_reports, without = (folds["encoders"][n]["pooled"] for n in ("cgdmer", "cgdmer, simulated corpora only"))
    assert f"{folds['records']} recordings can show: {shown(with_reports)} with and {shown(without)} without" in text
    gap = folds["differences"]["cgdmer, simulated corpora only"]
    assert gap["low"] < 0 < gap["high"]  # "made no difference"


def shown(cell):
    return f"{cell['mean']:.3f} [{cell['low']:.2f}, {cell['high']:.2f}]"


def test_every_package_has_a_row_in_the_architecture():
    rows = "\n".join(re.findall(r"^\| (`[^|]+) \|", ARCHITECTURE.split("## Packages")[1].split("\n## ")[0], re.M))
    packages = {path.parent.name for path in (ROOT / "cgdmer").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in rows} == set()


def test_the_flow_of_data_names_every_stage():
    flow = ARCHITECTURE.split("## Data flow")[1].split("## ")[0]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {name for name in stages if not re.search(rf"\b{name}\b", flow)} == set()


FEW_LABELS = {"none: zero-shot": "zero-shot", "none: probe of simulated recordings": "simulated"}
FEW_COLUMNS = ("cgdmer_base", "cgdmer", "random_resnet18", "handcrafted")


def test_the_table_of_few_labels_holds_the_numbers_of_its_report():
    task = RealResult.from_json(committed("reports/real.json")).sets["ptb_xl"].tasks["ptb_xl_super"]
    table = README.split("| labels of real recordings, PTB-XL Super |")[1].split("\n\n")[0]
    *rows, with_all = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [FEW_LABELS.get(row[0], row[0]) for row in rows] == [kind for kind, _ in task.by_labels()]
    for row, (_, few) in zip(rows, task.by_labels(), strict=True):
        cells = [few.encoders.get(name) for name in FEW_COLUMNS]
        assert row[1:5] == [shown(cell.to_json()) if cell else "–" for cell in cells]
        gap = few.differences.get("handcrafted")
        assert row[5] == (interval(gap.to_json(), 3, "+") if gap else "–")
    cells = [task.encoders[name]["pooled"] for name in FEW_COLUMNS]
    assert with_all[0] == f"all, {task.records * 4 // 5} per fold"
    assert with_all[1:5] == [shown(cell.to_json()) for cell in cells]
    assert with_all[5] == interval(task.differences["handcrafted"].to_json(), 3, "+")


def test_what_is_said_of_few_labels_follows_from_the_report():
    result, text = RealResult.from_json(committed("reports/real.json")), " ".join(README.split())
    ptb_xl, csn = result.sets["ptb_xl"].tasks, result.sets["csn"].tasks["csn"]
    few = ptb_xl["ptb_xl_super"].few
    ours = [few[kind].encoders["cgdmer_base"].mean for kind in ("zero-shot", "simulated")]
    assert few["100"].encoders["handcrafted"].mean < min(ours)  # "need 100 to 200 labels for"
    assert max(ours) < few["200"].encoders["handcrafted"].mean
    gap = ptb_xl["ptb_xl_super"].differences["handcrafted"]
    lows = {kind: one.differences["handcrafted"].low for kind, one in few.items() if kind.isdigit()} | {"all": gap.low}
    assert {kind for kind, low in lows.items() if low > 0} == {"20", "100", "200", "all"}  # "all but 50"
    assert all(one.differences["handcrafted"].mean > 0 for kind, one in few.items() if kind.isdigit())
    prompts = [one.few["zero-shot"].encoders["cgdmer_base"].mean
               for one in (ptb_xl["ptb_xl_rhythm"], csn, ptb_xl["ptb_xl_sub"])]  # fmt: skip
    assert "reaches {:.3f} on Rhythm and {:.3f} on CSN".format(*prompts) in text
    assert f"and {prompts[2]:.3f} on Sub, where the probe is better" in text
    probes = [one.encoders["cgdmer_base"]["pooled"].mean for one in (ptb_xl["ptb_xl_rhythm"], csn)]
    assert "where its probes with all labels have {:.3f} and {:.3f}".format(*probes) in text
    assert prompts[2] < ptb_xl["ptb_xl_sub"].encoders["cgdmer_base"]["pooled"].mean


def test_the_comparisons_with_hand_crafted_features_are_told_as_they_are():
    result = RealResult.from_json(committed("reports/real.json"))
    gaps = {name: task.differences["handcrafted"] for _, name, task in real.tasks(result)}
    assert {name for name, gap in gaps.items() if gap.low > 0} == {"PTB-XL Super", "PTB-XL Sub", "CSN exact"}
    assert {name for name, gap in gaps.items() if gap.high < 0} == {"LUDB diagnosis"}
    assert len(gaps) == 9


def test_the_comparisons_with_hand_crafted_features_are_adjusted():
    """Holm over the nine tasks with all labels, and over all numbers of labels, as docs/protocols.md says."""
    result, text = RealResult.from_json(committed("reports/real.json")), " ".join(README.split())
    gaps = {(name, "all"): task.differences["handcrafted"] for _, name, task in real.tasks(result)}
    adjusted = holm(gaps)
    assert (
        f"Adjusted by Holm for nine comparisons, the p-value on Super is {adjusted['PTB-XL Super', 'all']:.3f}" in text
    )
    below = {name: (p, gaps[name, share].mean > 0) for (name, share), p in adjusted.items() if p <= multiplicity.ALPHA}
    assert {name: ours for name, (_, ours) in below.items()} == {"PTB-XL Sub": True, "LUDB diagnosis": False}
    assert f"`cgdmer-base` on Sub ({below['PTB-XL Sub'][0]:.3f})" in text
    assert f"hand-crafted features on LUDB diagnosis ({below['LUDB diagnosis'][0]:.3f})" in text
    for _, name, task in real.tasks(result):
        few = {(name, kind): one.differences.get("handcrafted") for kind, one in task.few.items()}
        gaps |= {place: gap for place, gap in few.items() if gap is not None}
    shown = {place for place, p in holm(gaps).items() if p <= multiplicity.ALPHA}
    assert (
        f"Of the {len(gaps)} comparisons with hand-crafted features at any number of labels, {len(shown)} stay" in text
    )
    assert all(gaps[place].mean > 0 for place in shown)
    assert shown == {
        ("PTB-XL Super", "simulated"), ("PTB-XL Sub", "simulated"), ("PTB-XL Super", "20"),
    }  # fmt: skip
    perfect = result.sets["cpsc2018"].tasks["cpsc2018"]
    cell = perfect.encoders["cgdmer_base"]["pooled"]
    assert cell.low == cell.mean == cell.high == 1.0
    assert f"The {perfect.records} records of CPSC2018 give no interval for a perfect score" in text


def holm(gaps):
    """Return the adjusted p-values of differences by place."""
    return dict(zip(gaps, multiplicity.holm([gap.p for gap in gaps.values()]), strict=True))


def test_other_pretrainings_are_told_with_what_they_cost():
    """The table of docs/method.md is that of the JSON; README tells the spread, and what the three show together."""
    lines = {one["task"]: one for one in committed("reports/pretrainings.json")["tasks"]}
    table = (ROOT / "docs/method.md").read_text().split("### Other pretrainings")[1].split("\n\n")[2]
    rows = [[one.strip() for one in row.split("|")[2:-1]] for row in table.splitlines()[2:]]
    assert rows == [[each(one["each"]), bounds(one["cgdmer-base"]), gap(one), *prompted(one["zero_shot"])]
                    for one in lines.values()]  # fmt: skip
    assert {name for name, one in lines.items() if one["difference"][1] > 0} == {
        "ptb_xl_super", "ptb_xl_sub", "cpsc2018", "csn_exact",
    }  # fmt: skip
    assert {name for name, one in lines.items() if one["difference"][2] < 0} == {"diagnosis"}
    rhythm = lines["ptb_xl_rhythm"]
    assert min(rhythm["each"][0] - other for other in rhythm["each"][1:]) > 0.035
    assert max(rhythm["each"][1:]) < rhythm["handcrafted"][0]
    assert sorted(lines["ptb_xl_super"]["each"]).index(lines["ptb_xl_super"]["each"][0]) == 1
    text, supers = " ".join(README.split()), lines["ptb_xl_super"]["each"]
    prompts = {name: one["zero_shot"]["each"] for name, one in lines.items() if one["zero_shot"]}
    told = "Zero-shot on Super, the three reach {:.3f}, {:.3f} and {:.3f}".format(*prompts["ptb_xl_super"])
    assert told in text
    assert "on Super the three reach {:.3f}, {:.3f} and {:.3f}".format(*supers) in text
    shipped = RealResult.from_json(committed("reports/real.json"))
    ours = [task.encoders["cgdmer_base"]["pooled"].mean for *_, task in real.tasks(shipped)]
    means = [sum(one["each"][number] for one in lines.values()) / len(lines) for number in range(3)]
    assert abs(means[0] - sum(ours) / len(ours)) < 1e-6
    assert "The means over the nine tasks are {:.3f}, {:.3f} and {:.3f}".format(*means) in text
    assert "On Rhythm they reach {:.3f}, {:.3f} and {:.3f}".format(*rhythm["each"]) in text
    assert f"is {gap(lines['ptb_xl_super'])} on Super and {gap(lines['diagnosis'])} on LUDB diagnosis" in text


def each(values):
    return " ".join(f"{value:.3f}" for value in values)


def prompted(zero_shot):
    return [each(zero_shot["each"]), bounds(zero_shot["mean"])] if zero_shot else ["–", "–"]


def bounds(values):
    return "{:.3f} [{:.2f}, {:.2f}]".format(*values)


def gap(line):
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line["difference"])


def test_the_choice_of_features_is_told_with_the_scores_of_the_others():
    metrics, text = committed("reports/metrics.json"), " ".join(README.split())
    chosen = metrics["headline"]["cgdmer"]
    first, second = sorted(chosen["validation"].values(), reverse=True)[:2]
    kinds = {value: kind for kind, value in chosen["validation"].items()}
    assert kinds[first] == chosen["representation"]
    assert f"chose {kinds[first]} features with {first:.4f}, against {second:.4f} for {kinds[second]} ones" in text
    means = {kind: [over_tasks(metrics, "cgdmer", kind, share) for share in ("1.0", "0.1", "0.01")]
             for kind in (kinds[first], kinds[second])}  # fmt: skip
    assert "those reach {:.3f}, {:.3f} and {:.3f} on test".format(*means[kinds[second]]) in text
    protocols = " ".join((ROOT / "docs/protocols.md").read_text().split())
    assert f"`{kinds[first]}` has {first:.4f} on validation and `{kinds[second]}` {second:.4f}" in protocols
    ahead = [one - other for one, other in zip(means[kinds[first]], means[kinds[second]], strict=True)]
    assert "is ahead by {:.3f}, {:.3f} and {:.3f} with 100, 10 and 1 %".format(*ahead) in protocols


def test_csn_exact_changes_the_means_by_no_more_than_the_protocol_says():
    metrics = committed("reports/metrics.json")
    main = {name: chosen["representation"] for name, chosen in metrics["headline"].items()}
    for share in ("1.0", "0.1", "0.01"):
        moved = {name: over_tasks(metrics, name, kind, share) - over_tasks(metrics, name, kind, share, "csn_exact")
                 for name, kind in main.items()}  # fmt: skip
        assert round(max(map(abs, moved.values())), 3) <= 0.010
        assert max(abs(moved["cgdmer"] - move) for move in moved.values()) <= 0.005


def over_tasks(metrics, encoder, kind, share, but=""):
    cells = [cells[share][encoder][kind]["mean"] for task, cells in metrics["auroc"].items() if task != but]
    return sum(cells) / len(cells)


def test_the_results_on_the_card_are_those_of_the_report():
    result = RealResult.from_json(committed("reports/real.json"))
    card = json.loads((ROOT / "cgdmer/base/about.json").read_text())["real"]
    for source, _, task in real.tasks(result):
        name = next(name for name in result.sets[source].tasks if result.sets[source].tasks[name] is task)
        row = card[f"{result.sets[source].title}, {name}"]
        cell = task.encoders["cgdmer_base"]["pooled"]
        assert row["encoders"]["cgdmer_base"] == {"mean": cell.mean, "low": cell.low, "high": cell.high}
        assert len(row.get("few", [])) == len(task.few)


def interval(of, digits=2, sign=""):
    return f"{of['mean']:{sign}.3f} [{of['low']:{sign}.{digits}f}, {of['high']:{sign}.{digits}f}]"
