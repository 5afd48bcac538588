"""Real recordings with few labels: rows in the order of labels, and a chart where enough is known."""

from cgdmer.external.results import FewLabels, RealCell, RealDifference, RealTask
from cgdmer.report import real_few_labels as few
from cgdmer.report import table


def cell(mean):
    return RealCell(mean, mean - 0.02, mean + 0.02, per_class={})


def task(*sizes):
    told = {
        size: FewLabels(
            {"cgdmer": cell(0.7), "handcrafted": cell(0.6)},
            {"handcrafted": RealDifference(0.1, 0, 0.2, 1, p=0.04, detectable=0.14)},
        )
        for size in sizes
    }
    told |= {"simulated": FewLabels({"cgdmer": cell(0.65)}), "zero-shot": FewLabels({"cgdmer": cell(0.64)})}
    encoders = {name: {"pooled": cell(0.8)} for name in ("cgdmer", "handcrafted", "random")}
    return RealTask(400, 400, {}, {}, encoders, {}, told)


def test_rows_go_from_no_label_to_many():
    (made,) = few.few_label_table([("PTB-XL Super", task("100", "20"))], "cgdmer")
    assert [row[0] for row in made.rows] == [
        "PTB-XL Super, no label: zero-shot", "PTB-XL Super, no label: probe of simulated recordings",
        "PTB-XL Super, 20 records", "PTB-XL Super, 100 records",
    ]  # fmt: skip
    assert list(made.head) == ["Labels", "CG-DMER", "Hand-crafted", "minus Hand-crafted"]
    assert "+0.100, +0.000 to +0.200" in table.text(made)
    assert few.few_label_table([("x", RealTask(9, 9, {}, {}, {}, {}))], "cgdmer") == []


def test_a_chart_needs_enough_numbers_of_labels_and_ends_with_all_of_them():
    drawn = few.curves([("PTB-XL Super", task("20", "50")), ("LUDB rhythm", task("20"))], "cgdmer")
    assert "PTB-XL Super, macro AUROC by labelled real recordings" in drawn
    assert "CG-DMER 0.65, 0.70, 0.70, 0.80" in drawn
    assert "Hand-crafted 0.60, 0.60, 0.80" in drawn, "it has no probe of simulated recordings here"
    assert "Random transformer 0.80" in drawn
    assert "LUDB rhythm, macro" not in drawn
    assert few.curves([("LUDB rhythm", task("20"))], "cgdmer") is None
