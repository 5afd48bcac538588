"""Dumping a step whose terms were not finite, and running that step again from the dump."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cgdmer.distributed import World
from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.models.cgdmer import Batch, take_rows
from cgdmer.models.masking import Noise
from cgdmer.settings import Train
from cgdmer.training import checkpoint
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch

FACTS, STATE = "facts.json", "state.safetensors"


@dataclass(frozen=True)
class Replayed:
    """The result of running a dumped step again."""

    step: int
    """Counted from 1, as in the step log."""
    original_terms: dict[str, str]
    """The terms when training stopped."""
    terms: dict[str, float]
    """The terms of the replay."""
    rows: list[int]
    """Rows of the pretraining set that give a non-finite term by themselves. Empty when it takes several records, or
    when only the gradient is too large."""


def dump(
    folder: Path, engine: Engine, number: int, micro_batches: Sequence[MicroBatch], terms: Mapping[str, float]
) -> list[int]:
    """Write this rank's records and, on rank 0, the engine's state; return the rows of the records.

    The update of the step was skipped, so the state is the one that the step began with.
    """
    tensors = {
        f"{index}/{name}": torch.as_tensor(value)
        for index, micro_batch in enumerate(micro_batches)
        for name, value in micro_batch.batch.items()
    }
    checkpoint.write_tensors(folder / f"batch-{engine.world.rank}.safetensors", tensors)
    rows = [int(row) for micro_batch in micro_batches for row in micro_batch.batch["row"]]
    if engine.world.is_main:
        checkpoint.write_tensors(folder / STATE, engine.state())
        shapes = [{"sizes": micro_batch.sizes, "weight": micro_batch.weight} for micro_batch in micro_batches]
        facts = {"step": number, "seed": engine.train.seed, "micro_batches": shapes}
        write_json(folder / FACTS, facts | {"terms": {name: str(value) for name, value in terms.items()}})
    return rows


def replay(folder: Path, task: nn.Module, train: Train, device: torch.device, pad: int) -> Replayed:
    """Run a dumped step again in one process, with its masks and weights, and find the records that cause the failure.

    Build `task` as for training. `pad` fills up reports that the ranks had cut to different lengths. DataError when the
    dump is incomplete.
    """
    try:
        facts: dict[str, Any] = read_json(folder / FACTS)
        ranks = range(len(facts["micro_batches"][0]["sizes"]))
        batches = [load_file(folder / f"batch-{rank}.safetensors") for rank in ranks]
        state = load_file(folder / STATE)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"{folder} is no whole dump: {error}", fix="run training again; it stops there again"
        ) from error
    engine = Engine(task, train, World(0, 1, device))
    engine.restore(state)
    micro_batches = []
    for index, shape in enumerate(facts["micro_batches"]):
        by_rank = [{k.split("/")[1]: v for k, v in b.items() if k.startswith(f"{index}/")} for b in batches]
        micro_batches.append(MicroBatch(_concatenate(by_rank, pad), (sum(shape["sizes"]),), shape["weight"]))
    noises = engine.draw_noises(micro_batches, facts["step"])
    rows = [row for pair in zip(micro_batches, noises, strict=True) for row in _non_finite_rows(engine, *pair)]
    names, values = engine.step(facts["step"], micro_batches, 0.0)
    return Replayed(facts["step"] + 1, facts["terms"], dict(zip(names, values.tolist(), strict=True)), rows)


def _concatenate(batches: Sequence[Mapping[str, Tensor]], pad: int) -> Batch:
    """Concatenate the records of all ranks, with reports padded to the longest."""
    width = max(batch["tokens"].shape[1] for batch in batches)
    reports = [nn.functional.pad(b["tokens"], (0, width - b["tokens"].shape[1]), value=pad) for b in batches]
    names = [name for name in batches[0] if name not in ("tokens", "full", "statement_tokens")]
    tensors: dict[str, Any] = {name: torch.cat([batch[name] for batch in batches]) for name in names}
    tensors |= {name: batches[0][name] for name in ("statement_tokens",) if name in batches[0]}  # equal on all ranks
    return cast(Batch, tensors | {"tokens": torch.cat(reports), "full": all(bool(b["full"]) for b in batches)})


@torch.no_grad()
def _non_finite_rows(engine: Engine, micro_batch: MicroBatch, noise: Noise) -> list[int]:
    """Return the rows of records that give a non-finite term by themselves, each with its own masks."""
    rows = []
    for i in range(micro_batch.sizes[0]):
        record = take_rows(micro_batch.batch, slice(i, i + 1))
        with torch.autocast(engine.device.type, torch.bfloat16, enabled=engine.bf16):
            terms = engine.task(engine.to_device(record), {k: value[i : i + 1] for k, value in noise.items()})
        if not np.isfinite([float(value) for value in terms.values()]).all():
            rows.append(int(micro_batch.batch["row"][i]))
    return rows
