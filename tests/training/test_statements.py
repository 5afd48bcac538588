"""Single statements of reports: each once per step, sorted, and marked for the reports that hold them."""

import numpy as np
import torch
from support import example_pool as example

from cgdmer import paths, report_text
from cgdmer.models import tokens
from cgdmer.shards import open_shards
from cgdmer.training.records import Records
from cgdmer.training.statements import Statements

REPORTS = ["sinus rhythm. normal ecg.", "atrial fibrillation. pvcs noted. abnormal ecg.", "sinus rhythm. normal ecg."]
TOKENIZER = tokens.train(REPORTS, 120, 32)


def added(reports, step):
    batch = {}
    Statements(TOKENIZER).add_to(batch, reports, step)
    return batch


def test_each_statement_of_the_step_comes_once_and_in_the_order_of_its_text():
    batch = added(REPORTS, REPORTS)
    distinct = ["abnormal ecg.", "atrial fibrillation.", "normal ecg.", "pvcs noted.", "sinus rhythm."]
    assert batch["statement_tokens"].dtype == torch.int64
    for row, statement in zip(batch["statement_tokens"].tolist(), distinct, strict=True):
        assert [id for id in row if id != TOKENIZER.pad] == [
            id for id in TOKENIZER([statement])[0].tolist() if id != TOKENIZER.pad
        ]
    expected = [[statement in report_text.statements(report) for statement in distinct] for report in REPORTS]
    assert batch["stated"].tolist() == expected


def test_a_part_of_a_step_gets_the_statements_of_all_of_it():
    part, whole = added(REPORTS[:1], REPORTS), added(REPORTS, REPORTS)
    assert torch.equal(part["statement_tokens"], whole["statement_tokens"])
    assert torch.equal(part["stated"], whole["stated"][:1])


def test_statements_are_split_at_periods_without_empty_or_repeated_ones():
    report = report_text.clean(["Sinus rhythm", "PVC(s). ", "*** Abnormal ECG", "Sinus rhythm", None])
    assert report_text.statements(report) == ["sinus rhythm.", "pvc(s).", "*** abnormal ecg."]
    assert report_text.statements("") == []


def test_records_of_shards_add_them_only_if_they_are_asked_for(tmp_path):
    example.write(tmp_path)
    shards = open_shards(tmp_path / paths.shards("mimic_iv_ecg"))
    texts, codes = shards.reports()
    tokenizer = tokens.train(texts, 128, 16)
    step = np.array([5, 0, 3, 8])
    batch = Records(shards, np.arange(96), tokenizer, statements=True)(step[:2], step)
    reports = [texts[code] for code in codes[step]]
    assert len(batch["statement_tokens"]) == len(set(reports))
    assert batch["stated"].sum(1).tolist() == [1, 1]
    assert "stated" not in Records(shards, np.arange(96), tokenizer)(step)
