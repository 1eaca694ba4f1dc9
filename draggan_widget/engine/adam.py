"""Adam (Kingma and Ba 2015, arXiv:1412.6980) for one tensor, with torch's own arithmetic.

`torch.optim.Adam` makes the same steps, but first imports torch's compiler, which would delay the first drag by 2 s.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """The state of Adam for one tensor.

    Attributes:
        leaf: the tensor that is optimised, of any shape.
        steps: number of steps made so far, as a scalar tensor.
    """

    def __init__(self, leaf: Float[Tensor, "*shape"]):
        self.leaf = leaf
        self._mean, self._square = torch.zeros_like(leaf), torch.zeros_like(leaf)
        self.steps = torch.zeros((), dtype=torch.float32)

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "*shape"], rate: float) -> None:
        """Change the leaf in place by one step with learning rate `rate`; betas and epsilon are torch's defaults."""
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
