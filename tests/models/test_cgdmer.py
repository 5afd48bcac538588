"""The assembled method: what is off is not built, any leads and lengths go in, padding changes nothing."""

import pytest
import torch
from support import example_pool as example

from cgdmer.models import weights
from cgdmer.models.cgdmer import Batch
from cgdmer.settings import Masking, Model, Objective
from cgdmer.signals.leads import LEADS

STATISTICS = example.MODEL.model_copy(update={"pooling": "statistics"})


def build(model=example.MODEL, masking=Masking(), **terms):  # noqa: B008
    _, reports, _ = example.signals(20)
    return example.awake(weights.create(model, masking, Objective(**terms), example.SIGNAL, reports, 0))


def run(model, batch, seed=0):
    return model(batch, model.draw_noise(len(batch["signal"]), torch.Generator().manual_seed(seed)))


def test_every_step_has_the_shape_its_comment_says():
    model = build(cross_reconstruction=1.0)
    out = run(model, example.batch(model))
    columns, width = 10, example.MODEL.width
    assert out["ecg_shared"].shape == out["ecg_specific"].shape == out["report_specific"].shape == (6, width)
    assert out["ecg_aligned"].shape == out["report_aligned"].shape == (6, example.MODEL.projection)
    for name in ("target_patches", "predicted_patches", "cross_predicted_patches"):
        assert out[name].shape == (6, 12 * columns, example.MODEL.patch)
    assert out["hidden_patches"].sum(1).tolist() == [12 * (columns - 2)] * 6


@pytest.mark.parametrize(
    ("terms", "absent"),
    [
        (
            {"contrastive": 0.0, "report_reconstruction": 0.0},
            ["report_encoder", "disentangler.report_specific", "disentangler.projection"],
        ),
        ({"contrastive": 0.0}, ["disentangler.projection"]),
        ({"ecg_reconstruction": 0.0, "orthogonality": 0.0}, ["ecg_decoder", "disentangler.ecg_specific"]),
        ({"ecg_reconstruction": 0.0}, ["ecg_decoder"]),
        ({"report_reconstruction": 0.0}, ["report_encoder.word_head"]),
    ],
)
def test_what_is_off_is_not_built(terms, absent):
    names = {name for name, _ in build(**terms).named_parameters()}
    for prefix in absent:
        assert not any(name.startswith(f"{prefix}.") for name in names)


def test_without_masking_there_is_no_decoder():
    assert build(masking=Masking(kind="none")).ecg_decoder is None


def test_without_disentanglement_the_decoders_read_the_shared_part_alone():
    model = build(Model(**(example.MODEL.model_dump() | {"disentangled": False})))
    out = run(model, example.batch(model))
    assert "ecg_specific" not in out
    assert out["predicted_patches"].isfinite().all()


def test_a_short_record_does_not_depend_on_what_lies_in_its_padding_or_beside_it():
    model = build().eval()
    batch = example.batch(model, short=[1])
    other = Batch(**batch)
    other["signal"] = batch["signal"].clone()
    other["signal"][1, :, 100:] = 999
    first, second = run(model, batch), run(model, other)
    for name in ("ecg_shared", "ecg_aligned", "predicted_patches"):
        assert torch.allclose(first[name], second[name], atol=1e-6)


def test_features_take_any_leads_in_any_order_and_any_length():
    model = build().eval()
    signal = torch.from_numpy(example.signals(3)[0])
    valid = torch.full((3,), signal.shape[2])
    whole = model.features(signal, valid, torch.zeros(3, 12, dtype=torch.bool), range(12))
    order = [5, 0, 7, 3, 1, 2, 4, 6, 8, 9, 10, 11]
    turned = model.features(signal[:, order], valid, torch.zeros(3, 12, dtype=torch.bool), order)
    assert torch.allclose(whole["shared"], turned["shared"], atol=1e-5)
    for leads in ([1], [0, 1], [0, 1, 7], list(range(6)), list(range(12))):
        features = model.features(signal[:, leads, :90], valid.clamp(max=90), torch.zeros(3, len(leads)).bool(), leads)
        assert features["shared"].shape == whole["shared"].shape
        assert features["shared"].isfinite().all()


def test_leads_marked_missing_are_leads_not_given():
    model = build().eval()
    signal = torch.from_numpy(example.signals(2)[0])
    valid, missing = torch.full((2,), signal.shape[2]), torch.zeros(2, 12, dtype=torch.bool)
    missing[:, 6:] = True
    marked = model.features(signal, valid, missing, range(12))
    left_out = model.features(signal[:, :6], valid, missing[:, :6], range(6))
    assert torch.allclose(marked["aligned"], left_out["aligned"], atol=1e-5)


@pytest.mark.parametrize("shape", [example.MODEL, STATISTICS])
def test_training_and_features_agree_where_nothing_is_hidden(shape):
    model = build(shape, masking=Masking(kind="none", text_ratio=0.0), measurements=1.0).eval()
    batch = example.batch(model)
    out = run(model, batch)
    features = model.features(batch["signal"], batch["valid"], batch["missing"], range(len(LEADS)))
    assert torch.allclose(out["ecg_pooled"], features["shared"], atol=1e-5)
    assert torch.allclose(out["ecg_shared"], features["shared"][:, : shape.width], atol=1e-5)
    assert torch.allclose(out["ecg_aligned"], features["aligned"], atol=1e-5)
    assert torch.allclose(out["report_aligned"], model.report_features(batch["tokens"].long()), atol=1e-5)


def test_statistics_make_features_three_times_as_wide_and_leave_the_rest():
    model = build(STATISTICS)
    width = STATISTICS.width
    batch = example.batch(model, short=[1])
    features = model.features(batch["signal"], batch["valid"], batch["missing"], range(len(LEADS)))
    assert features["shared"].shape == features["specific"].shape == (6, 3 * width)
    out = run(model, batch)
    assert out["ecg_shared"].shape == out["report_shared"].shape == (6, width), "orthogonality compares the means"
    assert model.disentangler.projection.in_features == 3 * width
    assert model.disentangler.report_projection.in_features == width
    assert torch.allclose(out["report_aligned"].norm(dim=1), torch.ones(6), atol=1e-5)


def test_half_of_the_steps_hide_less_in_all_their_records_and_only_in_training():
    model = build(masking=Masking(light_ratio=0.3))
    batch, columns = example.batch(model), 10
    hidden = []
    for seed in range(60):
        hidden_patches = run(model, batch, seed)["hidden_patches"].sum(1)
        assert len(set(hidden_patches.tolist())) == 1
        hidden.append(hidden_patches[0].item())
    assert set(hidden) == {12 * (columns - 2), 12 * (columns - 7)}
    assert 15 < hidden.count(12 * (columns - 7)) < 45
    model.eval()
    assert {run(model, batch, seed)["hidden_patches"].sum(1)[0].item() for seed in range(8)} == {12 * (columns - 2)}


def test_the_encoder_reads_the_disturbed_signals_and_the_target_stays_clean():
    model = build().eval()
    batch = example.batch(model)
    noise = model.draw_noise(6, torch.Generator().manual_seed(0))
    lost = batch["missing"].clone()
    lost[0, 6:] = True
    signal = batch["signal"].float() / 1000 + 0.1 * torch.randn(batch["signal"].shape)
    other = Batch(**(batch | {"signal": signal, "missing": lost, "full": False}))
    clean, out = model(batch, noise), model(batch, noise, other)
    assert torch.equal(out["target_patches"], clean["target_patches"])
    assert not torch.allclose(out["ecg_shared"], clean["ecg_shared"], atol=1e-3)
    assert torch.equal(out["report_shared"], clean["report_shared"])
    assert not out["hidden_patches"][0].view(12, -1)[6:].any(), "a lost lead is not reconstructed"
