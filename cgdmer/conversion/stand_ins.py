"""Unpickle a checkpoint with a stand-in for every class and function that is not one of tensors or plain containers."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

KNOWN = {
    "builtins": {"dict", "list", "tuple", "set", "frozenset", "int", "float", "complex", "str", "bool", "bytearray"},
    "collections": {"OrderedDict"},
    "torch": {"Size", "device", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
    "torch._utils": {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"},
    "torch.nn.parameter": {"Parameter"},
}
"""What is loaded by module and name: nothing of it runs code that a file brings."""


class StandIn:
    """Takes whatever a pickle does with an object, and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "StandIn":
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *_: Any, **__: Any) -> "StandIn":
        return self

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None: ...

    def extend(self, _: Any) -> None: ...

    def add(self, _: Any) -> None: ...

    def __hash__(self) -> int:
        return id(self)


class Unpickler(pickle.Unpickler):
    """An unpickler that knows tensors and plain containers alone."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what `KNOWN` lists, and a stand-in for anything else."""
        if name in KNOWN.get(module, ()):
            return super().find_class(module, name)
        return StandIn


def _load(stream: Any, **arguments: Any) -> Any:
    return Unpickler(stream, **arguments).load()


MODULE = SimpleNamespace(Unpickler=Unpickler, load=_load, __name__="stand_ins")
"""What torch.load takes for its pickle module."""


def load(path: Path) -> Any:
    """Load a file of torch.save; each object of another class than tensors and containers is a stand-in."""
    return torch.load(path, map_location="cpu", pickle_module=MODULE, weights_only=False)
