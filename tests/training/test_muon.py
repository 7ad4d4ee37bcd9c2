"""Tests of the optimiser of lesson 15."""

from __future__ import annotations

import pytest

from tests import needs

needs.required()


def test_it_moves_as_that_of_torch_does() -> None:
    """Which calculates with 16 bits, and so to about two digits."""
    import torch

    from helpers.training.muon import STEPS, Muon

    draw = torch.Generator().manual_seed(0)
    shapes = [(24, 24), (24, 24), (40, 24), (24, 40)]
    starts = [torch.randn(shape, generator=draw) for shape in shapes]
    ours, theirs = ([torch.nn.Parameter(start.clone()) for start in starts] for _ in range(2))
    settings = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9}
    optimisers = [Muon(ours, **settings), torch.optim.Muon(theirs, ns_steps=STEPS, **settings)]
    for _ in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=draw)
            other.grad = one.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for one, other, start in zip(ours, theirs, starts, strict=True):
        moved = (other - start).norm()
        assert (one - other).norm() < 0.01 * moved


def test_what_has_no_gradient_stays() -> None:
    import torch

    from helpers.training.muon import Muon

    weight = torch.nn.Parameter(torch.ones(3, 3))
    Muon([weight]).step()
    assert torch.equal(weight, torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(2, 16, 16), (3, 48, 16), (3, 16, 48)])
def test_the_result_is_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    import torch

    from helpers.training.muon import orthogonal

    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(given)).flatten()
    before = torch.linalg.svdvals(given / given.norm(dim=(1, 2), keepdim=True)).flatten()
    assert values.median() > 0.5 > before.median()
    assert values.max() < 1.3
