"""Owns the dump of a step whose terms were not finite, and doing that step again from it."""

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
from cgdmer.models.cgdmer import Batch
from cgdmer.settings import Train
from cgdmer.training import checkpoint
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch

FACTS, STATE = "facts.json", "state.safetensors"


@dataclass(frozen=True)
class Replayed:
    """What a dumped step gives when it is done again."""

    step: int
    """Counted from 1, as the log does."""
    said: dict[str, str]
    """The terms as they were when training stopped."""
    terms: dict[str, float]
    rows: list[int]
    """Rows of the pool that give a non-finite term even alone; none where it takes several, or a large gradient."""


def dump(
    folder: Path, engine: Engine, number: int, micro: Sequence[MicroBatch], terms: Mapping[str, float]
) -> list[int]:
    """Keep this process's records, and once the weights they met; return the records' rows.

    The step's update was skipped, so the state is what it began with.
    """
    tensors = {f"{i}/{k}": torch.as_tensor(v) for i, part in enumerate(micro) for k, v in part.batch.items()}
    checkpoint.write_tensors(folder / f"batch-{engine.world.rank}.safetensors", tensors)
    rows = [int(row) for part in micro for row in part.batch["row"]]
    if engine.world.chief:
        checkpoint.write_tensors(folder / STATE, engine.state())
        parts = [{"sizes": part.sizes, "weight": part.weight} for part in micro]
        said = {name: str(value) for name, value in terms.items()}
        write_json(folder / FACTS, {"step": number, "seed": engine.train.seed, "terms": said, "parts": parts})
    return rows


def replay(folder: Path, task: nn.Module, train: Train, device: torch.device, pad: int) -> Replayed:
    """Do a dumped step again in one process, with its masks and weights, and find the records to blame.

    `task` is built as for training; `pad` fills reports up where processes had cut them to different lengths.
    DataError where the dump is not whole.
    """
    try:
        facts: dict[str, Any] = read_json(folder / FACTS)
        ranks = range(len(facts["parts"][0]["sizes"]))
        batches = [load_file(folder / f"batch-{rank}.safetensors") for rank in ranks]
        state = load_file(folder / STATE)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"{folder} is no whole dump: {error}", fix="run training again; it stops there again"
        ) from error
    engine = Engine(task, train, World(0, 1, device))
    engine.restore(state)
    micro = []
    for place, part in enumerate(facts["parts"]):
        batch = _joined([{k.split("/")[1]: v for k, v in b.items() if k.startswith(f"{place}/")} for b in batches], pad)
        micro.append(MicroBatch(batch, (sum(part["sizes"]),), part["weight"]))
    rows = [row for place, part in enumerate(micro) for row in _bad_alone(engine, facts["step"], place, part)]
    names, values = engine.step(facts["step"], micro, 0.0)
    return Replayed(facts["step"] + 1, facts["terms"], dict(zip(names, values.tolist(), strict=True)), rows)


def _joined(batches: Sequence[Mapping[str, Tensor]], pad: int) -> Batch:
    """Put the ranks' records together, reports filled up to the longest."""
    width = max(batch["tokens"].shape[1] for batch in batches)
    reports = [nn.functional.pad(b["tokens"], (0, width - b["tokens"].shape[1]), value=pad) for b in batches]
    same = [name for name in batches[0] if name not in ("tokens", "full")]
    joined: dict[str, Any] = {name: torch.cat([batch[name] for batch in batches]) for name in same}
    return cast(Batch, joined | {"tokens": torch.cat(reports), "full": all(bool(b["full"]) for b in batches)})


@torch.no_grad()
def _bad_alone(engine: Engine, number: int, place: int, part: MicroBatch) -> list[int]:
    """Return the rows of records that give a non-finite term by themselves, each with its own masks."""
    drawn, found = engine.drawn(part.sizes, 0, "train", number, place), []
    for i in range(part.sizes[0]):
        one = {name: value[i : i + 1] if isinstance(value, Tensor) else value for name, value in part.batch.items()}
        with torch.autocast(engine.device.type, torch.bfloat16, enabled=engine.bf16):
            terms = engine.task(engine.placed(cast(Batch, one)), {k: v[i : i + 1] for k, v in drawn.items()})
        if not np.isfinite([float(value) for value in terms.values()]).all():
            found.append(int(part.batch["row"][i]))
    return found
