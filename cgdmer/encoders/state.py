"""The tensors of an encoder out of the state dict of a published checkpoint, by the layout that its card states."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from cgdmer.encoders.published import Checkpoint
from cgdmer.errors import DataError

PARALLEL = "module."
"""Prefix that PyTorch's data parallelism adds to every name."""
NAMED = 8
"""Most names of tensors that an error lists."""


def encoder_state(content: Mapping[str, Any], checkpoint: Checkpoint, network: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of `network`, in float32, from the content of a published checkpoint file.

    Nested dicts are unwrapped, a prefix is stripped and the tensors that the card names are dropped. DataError names
    every tensor that is left over, missing or of another shape.
    """
    published = _tensors(_unwrapped(content, checkpoint))
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    candidates = [_named(published, prefix, checkpoint) for prefix in ("", *checkpoint.prefixes)]
    state = min(candidates, key=lambda candidate: len(candidate.keys() ^ wanted.keys()))
    if problems := list(_problems(state, wanted, checkpoint.any_rows)):
        raise DataError("; ".join(problems), allowed="every tensor of the network by its name, and no other")
    return {name: state[name].float() if state[name].is_floating_point() else state[name] for name in wanted}


def _unwrapped(content: Mapping[str, Any], checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Return the innermost state dict; a wrapper is a key with a mapping below it."""
    for key in checkpoint.wrappers:
        if isinstance(content.get(key), Mapping):
            return _unwrapped(content[key], checkpoint)
    return content


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the content without the prefix of data parallelism; DataError for a value that is no tensor."""
    strange = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if strange:
        raise DataError(f"the values of {listed(strange)} are no tensors", allowed="a state dict of tensors")
    whole = bool(content) and all(name.startswith(PARALLEL) for name in content)
    return {name.removeprefix(PARALLEL) if whole else name: value for name, value in content.items()}


def _named(published: Mapping[str, Tensor], prefix: str, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return the tensors under the network's names, the dropped ones left out.

    A name without the prefix is kept with a remark, so that it is never taken for one of the network's.
    """
    state = {}
    for name, tensor in published.items():
        plain = name.removeprefix(prefix) if name.startswith(prefix) else f"{name} (outside {prefix}*)"
        if not any(fnmatchcase(known, pattern) for pattern in checkpoint.drop for known in (name, plain)):
            for old, new in checkpoint.renames:
                plain = plain.replace(old, new)
            state[plain] = tensor
    return state


def _problems(
    state: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], any_rows: Collection[str]
) -> Iterator[str]:
    if missing := sorted(wanted.keys() - state.keys()):
        yield f"the file lacks {listed(missing)}"
    if unknown := sorted(state.keys() - wanted.keys()):
        yield f"the network has no {listed(unknown)}"
    for name in sorted(state.keys() & wanted.keys()):
        shape, first = tuple(state[name].shape), int(name in any_rows)
        if len(shape) != len(wanted[name]) or shape[first:] != wanted[name][first:]:
            yield f"{name} has shape {shape} and not {wanted[name]}"


def listed(names: Sequence[str]) -> str:
    """Name the first few, and count the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
