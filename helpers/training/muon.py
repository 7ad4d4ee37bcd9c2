"""An optimiser for the matrices inside a network's layers. Needs torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import sqrt

import torch
from torch.optim import Optimizer

# Of the iteration that makes a matrix orthogonal, from https://kellerjordan.github.io/posts/muon/
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 3  # five are usual; three do for matrices as small as those of the lessons


class Muon(Optimizer):  # type: ignore[misc]
    """Moves each matrix by the orthogonal matrix that is nearest to its gradient, momentum included.

    It does what `torch.optim.Muon(ns_steps=3)` does, but calculates with 32 bits and all matrices of
    one size at once: with torch's 16 bits a processor without instructions for them takes many times
    as long. Arguments mean what they mean there; `params` are matrices alone. The rule is Keller
    Jordan's (https://kellerjordan.github.io/posts/muon/).
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, defaults)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """Move all matrices once. There must be no `closure`."""
        for group in self.param_groups:
            alike = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.shape].append(weight)
            for shape, weights in alike.items():
                moves = []
                for weight in weights:
                    state = self.state[weight]
                    mean = state.setdefault("momentum_buffer", torch.zeros_like(weight))
                    mean.lerp_(weight.grad, 1 - group["momentum"])
                    moves.append(weight.grad.lerp(mean, group["momentum"]))
                rate = group["lr"] * sqrt(max(1, shape[0] / shape[1]))
                for weight, move in zip(weights, orthogonal(torch.stack(moves)), strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(move, alpha=-rate)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return, for each of a stack of matrices (n, rows, columns), about the nearest orthogonal one.

    Its singular values are near 1: by Newton and Schulz's iteration, without computing them.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        square = found @ found.mT
        square = torch.baddbmm(square, square, square, beta=b, alpha=c)
        found = torch.baddbmm(found, square, found, beta=a)
    return found.mT if tall else found
