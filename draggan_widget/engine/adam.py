"""Adam (Kingma and Ba 2015, arXiv:1412.6980) of one tensor, by torch's own arithmetic.

`torch.optim.Adam` makes the same steps, but imports torch's compiler first: 2 s that the first drag would wait.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Moments of a gradient, and steps against them.

    Attributes:
        leaf: the tensor that is moved, of any shape.
        steps: made so far, a scalar.
    """

    def __init__(self, leaf: Float[Tensor, "*shape"]):
        self.leaf = leaf
        self._mean, self._square = torch.zeros_like(leaf), torch.zeros_like(leaf)
        self.steps = torch.zeros(())

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "*shape"], rate: float) -> None:
        """Move the leaf against the gradient; beta 0.9 and 0.999, epsilon 1e-8, as torch has them."""
        adam(
            [self.leaf],
            [gradient],
            [self._mean],
            [self._square],
            [],
            [self.steps],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
