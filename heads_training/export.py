"""Make the checkpoint that the package ships of a run: `python -m heads_training.export RUN OUT.safetensors`."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.hub.catalog import HEADS
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.generator import Network, StyleGAN2
from heads_training.stretch import stretch

MEAN_SAMPLES = 10_000  # z drawn from RandomState(0), as the official tools do
META = {
    "licence": HEADS.licence,
    "citation": HEADS.citation,
    "origin": (
        "trained by heads_training/train.py on pictures of heads_training/render; see generators/bundled/MODEL_CARD.md"
    ),
}


def make_checkpoint(network: Network, drag_defaults: dict[str, float | int | str], drag_rows: int) -> Checkpoint:
    """The weights in half precision, with w_avg and the settings that a drag starts from."""
    z = torch.from_numpy(np.random.RandomState(0).randn(MEAN_SAMPLES, network.config.z_dim)).float()
    with torch.no_grad():
        network.mapping.w_avg.copy_(network.mapping(z, None).mean(0))
    tensors = {
        name: scale_to_unit_spread(tensor, name).half()
        for name, tensor in network.state_dict().items()
        if "resample_filter" not in name
    }
    if "mean_removal" in drag_defaults:
        block = int(drag_defaults["block"])
        tensors[f"mean.{block}.features"] = StyleGAN2(network, "heads").mean_features(block).whole.half()
    meta = META | {"drag_defaults": json.dumps(drag_defaults), "drag_rows": str(drag_rows)}
    return Checkpoint(StyleGAN2.family, network.config.to_dict(), tensors, meta)


def scale_to_unit_spread(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """Divide the weights of a demodulated convolution by their standard deviation.

    Demodulation cancels the factor; the weights then fit the range of half precision.
    """
    return tensor / tensor.std() if name.endswith(("conv0.weight", "conv1.weight")) else tensor


def load_trained(run: Path) -> Network:
    """Load the averaged network (EMA) of a run."""
    plan = json.loads((run / "plan.json").read_text())
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    side = plan["stages"][state["stage"]][0]
    first = state["ema"]["synthesis.b4.const"]
    config = StyleGAN2Config(
        channels=tuple(plan["channels"][: (side // plan["start_size"]).bit_length()]),
        z_dim=state["ema"]["mapping.fc0.weight"].shape[1],
        w_dim=plan["w_dim"],
        start_size=tuple(first.shape[1:]),
        mapping_layers=plan["mapping_layers"],
        mapping_lr_multiplier=plan["mapping_lr_multiplier"],
        use_noise=False,
    )
    network = Network(config)
    network.load_state_dict(state["ema"])
    return network


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--drag-defaults", type=json.loads, default={})
    parser.add_argument("--drag-rows", type=int, default=6)
    chosen = parser.parse_args()
    network = load_trained(chosen.run)
    stretch(network)
    own_file.save(make_checkpoint(network, chosen.drag_defaults, chosen.drag_rows), chosen.out)


if __name__ == "__main__":
    main()
