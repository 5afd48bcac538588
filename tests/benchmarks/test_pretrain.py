"""The parts of the pretraining benchmark that others build on."""

import numpy as np
import pytest
import torch

from benchmarks import pretrain
from benchmarks.gpu.plan import PLANS, SMOKE, Bench, write_corpus
from benchmarks.pretrain_setup import environment_of, fetcher
from cgdmer.shards import open_shards


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(PLANS[SMOKE], folder)
    return Bench(PLANS[SMOKE], folder, folder)


def test_both_loops_read_the_same_records(bench):
    signal = bench.plan.chosen().signal
    stored = open_shards(bench.corpus).gather(np.arange(3)) / 1000
    for row in range(3):
        raw = pretrain.prepared(str(bench.corpus / f"r{row}"), signal)
        assert np.abs(raw - stored[row]).max() < 0.0011  # shards hold whole microvolts


def test_the_plain_loop_encodes_every_token_and_learns(bench):
    task, optimiser = pretrain.plain_task(bench.plan.chosen(), bench.reports, torch.device("cpu"))
    batch = fetcher(bench.engine(torch.device("cpu")), bench.corpus, 4)(0)[0].batch
    seen, encode = [], task.model.ecg_encoder.forward

    def count(patches, log_std, leads, ids_keep, *rest):
        seen.append(tuple(ids_keep.shape))
        return encode(patches, log_std, leads, ids_keep, *rest)

    task.model.ecg_encoder.forward = count
    before = {name: parameter.detach().clone() for name, parameter in task.model.named_parameters()}
    pretrain.plain_step(task, optimiser, batch, torch.Generator())
    tokens = len(task.model.token_leads) * bench.plan.chosen().signal.samples // bench.plan.chosen().model.patch
    assert seen == [(4, tokens)]
    moved = {name for name, parameter in task.model.named_parameters() if not torch.equal(before[name], parameter)}
    assert {name.split(".")[0] for name in moved} == {name.split(".")[0] for name in before}


def test_a_batch_has_the_size_that_is_asked_for_and_a_result_the_load_of_the_machine(bench):
    engine = bench.engine(torch.device("cpu"), batch=8)
    assert [fetcher(engine, bench.corpus, size)(0)[0].sizes for size in (None, 4, 999)] == [(8,), (4,), (32,)]
    assert environment_of(engine, engine.device)["load"] >= 0


def test_the_measurement_at_paper_scale_adds_up(bench, capsys):
    chosen = bench.plan.chosen()
    cpu = torch.device("cpu")
    result = pretrain.measure(bench.corpus, chosen, bench.reports, cpu, steps=2)
    batch = min(chosen.train.batch, len(bench.reports))
    assert (result["batch"], result["steps"], result["precision"]) == (batch, 2, "fp32")
    engine = bench.engine(cpu)
    flops = engine.flops(fetcher(engine, bench.corpus)(0)[0])
    assert flops == pytest.approx(pretrain.flops_of(engine, chosen, batch), rel=0.25)  # reports of another width
    assert result["gflop_per_record"] == round(flops / 1e9, 1)
    rate, peak = result["records_per_s"], 1e12 * result["peak_tflop_per_s"]
    assert rate > 0
    assert result["peak_share"] == pytest.approx(rate * flops / peak, rel=0.02, abs=1e-4)
    assert "records_per_s" in capsys.readouterr().out
