"""The vector a picture is drawn from: names of its entries, their maps to parameters, and their signs in a mirror.

Every picture comes from a vector on the sphere of radius sqrt(D); each entry is about N(0, 1) and goes through one
smooth, monotone map. Traits that are correlated in people (long hair and sex, dark hair and dark skin) are linked
afterwards by adding the entries, so that everything stays continuous.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LIMIT = 2.2  # bound of a normal entry, standard deviations
SOFTNESS = 0.12  # width of the bend of a positive entry


@dataclass(frozen=True)
class Entry:
    """One entry of the vector.

    Attributes:
        name: name of the parameter.
        kind: "normal" (mean `a`, standard deviation `b`, kept within `LIMIT` deviations), "uniform" (from `a` to `b`)
            or "positive" (`a` + `b` v where that is above zero, else nearly zero; at most 1).
        a: first number of `kind`.
        b: second number of `kind`.
        flips: True if the entry changes its sign in a mirror.
    """

    name: str
    kind: str
    a: float
    b: float
    flips: bool = False

    def value(self, v: float) -> float:
        """The parameter for the value `v` of the entry."""
        if self.kind == "normal":
            return self.a + self.b * LIMIT * math.tanh(v / LIMIT)
        if self.kind == "uniform":
            return self.a + (self.b - self.a) * phi(v)
        x = (self.a + self.b * v) / SOFTNESS
        return math.tanh(SOFTNESS * (x if x > 30 else math.log1p(math.exp(x))))


def phi(x: float) -> float:
    """Cumulative distribution function of the standard normal distribution."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _normal(name: str, mean: float, deviation: float, flips: bool = False) -> Entry:
    return Entry(name, "normal", mean, deviation, flips)


def _positive(name: str, mean: float, deviation: float) -> Entry:
    return Entry(name, "positive", mean, deviation)


# details of the shape: entry, target (with :LOW:HIGH if its ends are not decr and incr), standard deviation
DETAILS = (
    ("head_width", "head/head-scale-horiz", 0.25),
    ("head_height", "head/head-scale-vert", 0.22),
    ("head_depth", "head/head-scale-depth", 0.2),
    ("head_fat", "head/head-fat", 0.28),
    ("forehead", "forehead/forehead-scale-vert", 0.25),
    ("brow_height", "eyebrows/eyebrows-trans:down:up", 0.28),
    ("brow_angle", "eyebrows/eyebrows-angle:down:up", 0.32),
    ("eye_size", "eyes/LR-eye-scale", 0.28),
    ("eye_distance", "eyes/LR-eye-trans:in:out", 0.25),
    ("eye_slant", "eyes/LR-eye-corner2:down:up", 0.32),
    ("eye_opening", "eyes/LR-eye-height2", 0.28),
    ("nose_length", "nose/nose-scale-vert", 0.32),
    ("nose_width", "nose/nose-scale-horiz", 0.34),
    ("nose_depth", "nose/nose-scale-depth", 0.36),
    ("nose_hump", "nose/nose-hump", 0.32),
    ("nose_point", "nose/nose-point:down:up", 0.36),
    ("mouth_width", "mouth/mouth-scale-horiz", 0.32),
    ("upper_lip", "mouth/mouth-upperlip-volume", 0.32),
    ("lower_lip", "mouth/mouth-lowerlip-volume", 0.32),
    ("mouth_height", "mouth/mouth-trans:down:up", 0.2),
    ("chin_width", "chin/chin-width", 0.36),
    ("chin_height", "chin/chin-height", 0.34),
    ("chin_depth", "chin/chin-prominent", 0.32),
    ("jaw_drop", "chin/chin-jaw-drop", 0.26),
    ("cheek_bones", "cheek/LR-cheek-bones", 0.34),
    ("cheek_volume", "cheek/LR-cheek-volume", 0.32),
    ("ear_size", "ears/LR-ear-scale", 0.3),
    ("ear_wing", "ears/LR-ear-wing", 0.28),
    ("neck_width", "neck/neck-scale-horiz", 0.25),
)

ENTRIES = (
    # pose: degrees, half pictures
    _normal("yaw", 0, 20, flips=True),
    _normal("pitch", 2, 8),
    _normal("roll", 0, 5, flips=True),
    _normal("scale", 1, 0.05),
    _normal("shift_x", 0, 0.025, flips=True),
    _normal("shift_y", 0, 0.02),
    # expression
    _positive("jaw_open", -0.28, 0.30),
    _normal("smile", 0.26, 0.26),
    _positive("pucker", -0.6, 0.35),
    _normal("brow_raise", 0.07, 0.3),
    _positive("blink", -0.75, 0.42),
    _positive("squint", -0.2, 0.3),
    _normal("gaze_x", 0, 0.17, flips=True),
    _normal("gaze_y", 0, 0.09),
    _normal("mouth_side", 0, 0.16, flips=True),
    _positive("sneer", -0.8, 0.4),
    # person
    _normal("sex", 0, 1),
    _normal("age", 0, 1),
    _normal("africa", 0, 1),
    _normal("asia", 0, 1),
    _normal("weight", 0.45, 0.15),
    _normal("muscle", 0.5, 0.18),
    *(_normal(name, 0, deviation) for name, _, deviation in DETAILS),
    _normal("oval_round", 0, 0.3),
    _normal("square_heart", 0, 0.3),
    # colours
    _normal("melanin", 0, 1),
    _normal("undertone", 0, 1),
    Entry("ruddy", "uniform", 0.1, 0.9),
    _normal("lipstick", 0, 1),
    _normal("lip_hue", 0, 1),
    _normal("iris_dark", 0, 1),
    Entry("iris_green", "uniform", 0, 1),
    _normal("hair_dark", 0, 1),
    _normal("hair_red", 0, 1),
    _normal("grey", 0, 1),
    # hair
    _normal("hair_length", 0, 1),
    _normal("hair_volume", 0, 1),
    _normal("hairline", 0, 1),
    _normal("fringe", 0, 1),
    _normal("parting", 0, 1, flips=True),
    _normal("wave", 0, 1),
    _normal("frame", 0, 1),
    _normal("beard", 0, 1),
    _normal("brow_weight", 0, 1),
    # light: direction, strengths, warmth
    _normal("light_x", 0, 0.62, flips=True),
    _normal("light_y", 0.5, 0.26),
    _normal("light_key", 1, 0.10),
    _normal("light_fill", 1, 0.14),
    _normal("light_warm", 0, 0.45),
    # background and clothes: lightness, two chroma axes, gradient
    Entry("back_light", "uniform", 0.30, 0.86),
    _normal("back_a", 0, 0.016),
    _normal("back_b", 0, 0.020),
    _normal("back_x", 0, 0.035, flips=True),
    _normal("back_y", 0.01, 0.035),
    _normal("back_glow", 0.06, 0.025),
    Entry("cloth_light", "uniform", 0.22, 0.88),
    _normal("cloth_a", 0, 0.026),
    _normal("cloth_b", 0, 0.034),
    Entry("neckline", "uniform", 0, 1),
    # things worn
    _normal("glasses", 0, 1),
    _normal("glasses_round", 0, 1),
    _normal("glasses_light", 0, 1),
    _normal("hat", 0, 1),
    _normal("hat_light", 0, 1),
    _normal("hat_a", 0, 0.03),
    _normal("hat_b", 0, 0.038),
)

NAMES = tuple(entry.name for entry in ENTRIES)
SIZE = len(ENTRIES)
POSE = NAMES[NAMES.index("yaw") : NAMES.index("jaw_open")]
EXPRESSION = NAMES[NAMES.index("jaw_open") : NAMES.index("sex")]
COLOURS = NAMES[NAMES.index("melanin") :]  # also hair, light, background, clothes, glasses and hat
INDEX = {name: index for index, name in enumerate(NAMES)}
FLIP_SIGNS = np.array([-1 if entry.flips else 1 for entry in ENTRIES], np.float32)


def sample(count: int, seed: int) -> Float[np.ndarray, "count entries"]:
    """Draw `count` vectors, uniform on the sphere of radius sqrt(D)."""
    z = np.random.default_rng(seed).standard_normal((count, SIZE))
    return (math.sqrt(SIZE) * z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def mirrored(vector: Float[np.ndarray, "*count entries"]) -> Float[np.ndarray, "*count entries"]:
    """The vector of the mirror image."""
    return vector * FLIP_SIGNS


def parameters(vector: Float[np.ndarray, " entries"]) -> dict[str, float]:
    """The parameters of one vector, with linked traits."""
    p = {entry.name: entry.value(float(v)) for entry, v in zip(ENTRIES, vector, strict=True)}
    sex, age, dark = p["sex"], p["age"], (p["melanin"] + 0.9 * p["africa"] - 0.25 * p["asia"]) / 1.37
    masculine = phi(1.6 * sex)
    p["masculine"] = masculine
    p["years"] = phi(age) ** 1.3
    p["skin_dark"] = phi(dark)
    # Dark skin and Asian descent go with dark hair and eyes.
    p["hair_dark"] = phi((p["hair_dark"] + 2.0 * max_soft(dark + 0.4) + 0.8 * max_soft(p["asia"]) - 0.75) / 1.0)
    p["iris_dark"] = phi((p["iris_dark"] + 1.4 * max_soft(dark) + 1.2 * max_soft(p["asia"]) - 0.4) / 0.8)
    p["hair_red"] = step(p["hair_red"] - 0.5 * dark, 1.0, 2.2)
    p["grey"] = step(0.5 * p["grey"] + 1.1 * age, 0.9, 2.5)
    p["hair_length"] = phi((p["hair_length"] - 1.5 * sex) / 1.55)
    p["hair_volume"] = phi(p["hair_volume"])
    p["hairline"] = 0.045 * p["hairline"] + 0.10 * p["years"] * masculine
    p["fringe"] = step(p["fringe"] - 0.35 * sex - 0.5, -0.3, 1.5)
    p["wave"] = phi(p["wave"] + 0.4 * p["africa"] - 0.3)
    p["frame"] = phi(p["frame"])
    p["beard"] = step(p["beard"] + 1.5 * sex, 0.7, 3.7)
    p["brow_weight"] = phi((p["brow_weight"] + 0.8 * sex + 0.2 * dark) / 1.2)
    p["lipstick"] = step(p["lipstick"] - 1.1 * sex, -0.1, 2.4)
    p["glasses"] = step(p["glasses"] + 0.25 * age, 0.98, 1.08)
    p["glasses_round"] = phi(p["glasses_round"])
    p["glasses_light"] = phi(p["glasses_light"])
    p["hat"] = step(p["hat"], 1.34, 1.44)
    p["hat_light"] = 0.25 + 0.5 * phi(p["hat_light"])
    return p


def max_soft(x: float) -> float:
    """max(x, 0), smoothed at 0."""
    return 0.3 * math.log1p(math.exp(min(x / 0.3, 30))) if x / 0.3 < 30 else x


def step(x: float, low: float, high: float) -> float:
    """Smoothstep: rises from 0 at `low` to 1 at `high`."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)
