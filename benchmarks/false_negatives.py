"""How many negatives of the contrastive loss are false, because a report is read in part.

Run, after make demo: python -m benchmarks.false_negatives [--epochs N]

A pair of an ECG and another record's report counts as a negative unless the two whole reports are equal
(`objective.unique_reports`). It is false if every statement of the report, as it is read, stands in the ECG's own
report too. Half of the reports are read as a random subset of their statements (`masking.statements`); the masks are
drawn by the functions of pretraining, on the reports and the batch size of the demo.
"""

import argparse
import json

import numpy as np
import torch

from cgdmer import report_text, settings
from cgdmer.models.masking import drop_statements
from cgdmer.training.pretraining_set import choose, open_pretraining_set

EPOCHS = 8


def statements(text: str) -> list[str]:
    """Return the statements of a report."""
    return [part for one in text.split(report_text.SEPARATOR) if (part := one.strip(" ."))]


def read_in_part(reports: np.ndarray, share: float, generator: torch.Generator) -> np.ndarray:
    """Return the statements (B, S) that are read; a statement is one token, 0 is padding."""
    tokens = torch.from_numpy(reports)
    draws = {"shorten": 2, "statement": tokens.shape[1] + 1}
    noise = {name: torch.rand((len(tokens), width), generator=generator) for name, width in draws.items()}
    read: np.ndarray = drop_statements(tokens, tokens > 0, torch.zeros_like(tokens).bool(), 0, noise, share).numpy()
    return read


def counts(reports: np.ndarray, read: np.ndarray) -> tuple[int, int]:
    """Return negatives and false negatives of a batch of whole reports and of what is read of them, both (B, S)."""
    whole = [frozenset(row[row > 0].tolist()) for row in reports]
    partial = [frozenset(row[row > 0].tolist()) for row in read]
    negatives = [(a, b) for a in range(len(whole)) for b in range(len(whole)) if a != b and whole[a] != whole[b]]
    return len(negatives), sum(partial[b] <= whole[a] for a, b in negatives)


def main() -> None:
    """Print the share of false negatives with whole reports and with the setting of params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    epochs = parser.parse_args().epochs
    config = settings.load()
    shards, _ = open_pretraining_set(config.signal)
    rows, (training, _) = choose(shards, config.train)
    texts = [statements(text) for text in shards.columns("report")["report"][rows[:training]].to_list()]
    number = {name: 1 + place for place, name in enumerate(sorted({name for text in texts for name in text}))}
    table = np.zeros((len(texts), max(map(len, texts))), np.int64)
    for row, text in zip(table, texts, strict=True):
        row[: len(text)] = [number[name] for name in text]
    result: dict[str, object] = {"reports": len(texts), "distinct": len({tuple(text) for text in texts})}
    for share in (0.0, config.masking.statements):
        generator, order = torch.Generator().manual_seed(0), np.random.default_rng(0)
        pairs = [
            counts(batch, read_in_part(batch, share, generator))
            for _ in range(epochs)
            for batch in np.array_split(table[order.permutation(len(table))], len(table) // config.train.batch)
        ]
        negatives, false = np.sum(pairs, axis=0)
        result[f"false_negatives_at_{share:g}"] = round(float(false / negatives), 5)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
