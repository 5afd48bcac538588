"""The tensors of a checkpoint as a tree of dicts, whatever else the checkpoint holds."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor

Tree: TypeAlias = "dict[str, Tensor | Tree]"
"""Tensors and further trees by name."""

DEPTH = 6
"""Levels of nested dicts that are searched; published files have at most three."""
ENTRIES = 100_000
"""Entries that are searched; the largest published file has a few thousand."""


class TooLarge(ValueError):
    """A checkpoint has more entries than any published one: it was made to exhaust memory."""


def tensors_of(loaded: Any) -> Tree:
    """Return the tensors below the mappings of a loaded checkpoint, by name.

    Numbers, texts, settings and optimiser states, which have numbers as keys, are left out. A mapping that occurs twice
    is kept once, so that a file of nested references cannot grow. Raises TooLarge beyond `ENTRIES`.
    """
    return _Walk().tree(loaded, DEPTH) if isinstance(loaded, Mapping) else {}


class _Walk:
    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.entries = 0

    def tree(self, mapping: Mapping[Any, Any], depth: int) -> Tree:
        self.seen.add(id(mapping))
        kept: Tree = {}
        for name, value in mapping.items():
            self.entries += 1
            if self.entries > ENTRIES:
                raise TooLarge(f"more than {ENTRIES:,} entries")
            if not isinstance(name, str):
                continue
            if isinstance(value, Tensor):
                kept[name] = value.detach()
            elif isinstance(value, Mapping) and depth > 1 and id(value) not in self.seen:
                below = self.tree(value, depth - 1)
                if below:
                    kept[name] = below
        return kept


def count(tree: Tree) -> int:
    """Return the number of tensors in a tree."""
    return sum(count(value) if isinstance(value, dict) else 1 for value in tree.values())
