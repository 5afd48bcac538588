"""A batch with every optional field, and settings with every option of the method switched on."""

import torch

from cgdmer import settings
from cgdmer.models import weights
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives import Objective
from cgdmer.objectives.targets import AMPLITUDES, MEASUREMENTS
from support import example_pool as example

MODEL = example.MODEL.model_copy(update={"pooling": "statistics"})
MASKING = settings.Masking(light_ratio=0.25)
OBJECTIVE = settings.Objective(statements=0.5, measurements=2.0, amplitudes=1.5, cross_reconstruction=0.3)
AUGMENTATION = settings.Augmentation(noise=0.5, wander=0.4, gain=0.15, chest_gain=0.1, lost_leads=0.5, shift=0.5)


def task(objective=OBJECTIVE, masking=MASKING, augmentation=AUGMENTATION, model=MODEL) -> Objective:
    """Return a tiny model with its losses and every option on."""
    _, reports, _ = example.signals(20)
    network = weights.create(model, masking, objective, example.SIGNAL, reports, 0)
    return Objective(example.awake(network), objective, augmentation)


def batch(of: Objective, records: int = 6, silent=(1, 4)) -> Batch:
    """Return records, of which those in `silent` have no report; their statements are words of the others' reports."""
    plain = example.batch(of.model, records, short=[2])
    _, reports, _ = example.signals(records)
    reports = ["" if row in silent else report for row, report in enumerate(reports)]
    words = sorted({word for report in reports for word in report.split()})
    tokenizer = of.model.tokenizer
    draw = torch.Generator().manual_seed(3)
    measurements, amplitudes = (
        torch.randn(records, len(columns), generator=draw) for columns in (MEASUREMENTS, AMPLITUDES)
    )
    for values, unknown in ((measurements, -1), (amplitudes, 0)):
        values[torch.rand(values.shape, generator=draw) < 0.3] = torch.nan
        values[unknown] = torch.nan
    return Batch(
        **{name: value for name, value in plain.items() if name != "tokens"},
        tokens=torch.from_numpy(tokenizer(reports, width=plain["tokens"].shape[1])),
        has_report=torch.tensor([report != "" for report in reports]),
        statement_tokens=torch.from_numpy(tokenizer(words)).long(),
        stated=torch.tensor([[word in report.split() for word in words] for report in reports]),
        measurements=measurements,
        amplitudes=amplitudes,
    )


def noise(of: Objective, records: int = 6, seed: int = 0):
    """Return the noise of a step."""
    return of.draw_noise(records, torch.Generator().manual_seed(seed))
