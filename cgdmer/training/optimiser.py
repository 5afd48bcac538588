"""The optimiser, its learning rate (linear warm-up, cosine to zero), and its state as named tensors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cgdmer.models.transformer import Attention
from cgdmer.settings import Train
from cgdmer.training.muon import Muon


def learning_rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Return the learning rate of a step, counted from 0; `warmup` is the share of all steps with a rising rate."""
    warmup_steps = max(1, round(total * warmup)) if warmup else 0
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, total - warmup_steps)))


class Optimisers:
    """Several optimisers that act as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def skip_while(self, non_finite: Tensor) -> None:
        """Let every part leave the weights as they are while `non_finite` (a scalar) is 1."""
        for part in self.parts:
            part.found_inf = non_finite  # type: ignore[attr-defined]

    def step(self) -> None:
        """Update all parameters."""
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Free the gradients of all parameters."""
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)


def create(module: nn.Module, train: Train) -> Optimisers:
    """Return the optimiser of a module: AdamW, or Muon for the matrices of transformer blocks and AdamW for the rest.

    A pretrained report encoder is left to AdamW, which it was trained with.
    """
    if train.optimiser == "adamw":
        return Optimisers(adamw(module, train))
    layers = [layer for block in module.modules() if isinstance(block, Attention) for layer in block.modules()]
    matrices = [layer.weight for layer in layers if isinstance(layer, nn.Linear) and layer.weight.requires_grad]
    group = {"params": matrices, "weight_decay": train.weight_decay, "lr_scale": 1.0}
    return Optimisers(adamw(module, train, without=matrices), Muon([group], train.lr))


def adamw(module: nn.Module, train: Train, without: Sequence[Tensor] = ()) -> torch.optim.AdamW:
    """Return fused AdamW over the trainable parameters of a module, except those of `without`.

    Matrices decay; biases, norms, embeddings and the temperature do not. The `lr_scale` of a group multiplies the
    learning rate of a step: it is `train.text_lr / train.lr` for modules with the attribute `pretrained`, 1 otherwise.
    """
    embeddings = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Embedding)}
    left_out = {id(parameter) for parameter in without}
    trainable = [p for p in module.parameters() if p.requires_grad and id(p) not in left_out]
    decayed = [p for p in trainable if p.ndim > 1 and id(p) not in embeddings]
    undecayed = [p for p in trainable if p.ndim <= 1 or id(p) in embeddings]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": train.weight_decay, "lr_scale": 1.0},
        {"params": undecayed, "weight_decay": 0.0, "lr_scale": 1.0},
    ]
    if train.text_lr is not None:
        layers = [layer for layer in module.modules() if getattr(layer, "pretrained", False)]
        pretrained = {id(parameter) for layer in layers for parameter in layer.parameters()}
        scale = train.text_lr / train.lr
        groups = [part for group in groups for part in _divided(group, pretrained, scale)]
    return torch.optim.AdamW(groups, lr=train.lr, betas=(0.9, 0.98), eps=1e-8, fused=True)


def _divided(group: dict[str, Any], pretrained: set[int], scale: float) -> list[dict[str, Any]]:
    """Divide a group of parameters into the pretrained ones, by their `id`, with a `scale`, and the others."""
    others = group | {"params": [p for p in group["params"] if id(p) not in pretrained]}
    scaled = group | {"params": [p for p in group["params"] if id(p) in pretrained], "lr_scale": scale}
    return [part for part in (others, scaled) if part["params"]]


def state_tensors(optimisers: Optimisers, names: Mapping[int, str]) -> dict[str, Tensor]:
    """Return the state by parameter name; `names` maps the `id` of a parameter to its name."""
    return {
        f"optimiser/{names[id(parameter)]}/{key}": value
        for part in optimisers.parts
        for parameter, state in part.state.items()
        for key, value in state.items()
    }


def restore_state(optimisers: Optimisers, names: Mapping[int, str], tensors: Mapping[str, Tensor]) -> None:
    """Load what `state_tensors` returned, `step` counters onto the device of their parameter, as fused AdamW needs."""
    for part in optimisers.parts:
        for parameter in (parameter for group in part.param_groups for parameter in group["params"]):
            prefix = f"optimiser/{names[id(parameter)]}/"
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            part.state[parameter] = {key: value.to(parameter.device) for key, value in state.items()}
