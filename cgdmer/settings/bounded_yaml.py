"""YAML with bounded aliases: ten lines of nested aliases would otherwise expand to billions of values."""

from typing import Any

import yaml

MAX_VALUES = 100_000
"""Most values of a document once every alias is replaced by what it stands for."""


def load(text: str) -> Any:
    """Return the content of one document, built by the safe loader; yaml.YAMLError or ValueError if it has none."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values, aliases included")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many values a node holds; each distinct node is counted once. ValueError if it contains itself."""
    if id(node) not in sizes:
        sizes[id(node)] = -1
        children: list[Any] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = list(node.value)
        sizes[id(node)] = 1 + sum(_size(child, sizes) for child in children)
    if sizes[id(node)] < 0:
        raise ValueError("an alias stands for a value that contains it")
    return sizes[id(node)]
