"""Muon (Jordan et al. 2024) for the matrices of transformer blocks, beside AdamW for all other parameters."""

from typing import Any

import torch
from torch import Tensor


class Muon(torch.optim.Muon):
    """PyTorch's Muon with a learning rate like AdamW's. Like fused AdamW, it skips updates while `found_inf` is 1."""

    found_inf: Tensor | None = None

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, lr=lr, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update the matrices, or leave them and their momentum as they are."""
        matrices = [matrix for group in self.param_groups for matrix in group["params"] if matrix.grad is not None]
        kept = [(matrix.clone(), self._momentum(matrix).clone()) for matrix in matrices]
        loss = super().step(closure)  # type: ignore[no-untyped-call]
        if self.found_inf is not None:
            skip = self.found_inf.bool()
            for matrix, (old, old_momentum) in zip(matrices, kept, strict=True):
                matrix.copy_(torch.where(skip, old, matrix))
                momentum = self._momentum(matrix)
                momentum.copy_(torch.where(skip, old_momentum, momentum))
        return loss

    def _momentum(self, matrix: Tensor) -> Tensor:
        """Return the momentum of a matrix, zeros before its first update."""
        state: dict[str, Tensor] = self.state[matrix]
        return state.setdefault("momentum_buffer", torch.zeros_like(matrix))
