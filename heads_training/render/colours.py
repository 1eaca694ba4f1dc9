"""Colours of skin, lips, hair, eyes, cloth and background, in linear light."""

import numpy as np
from jaxtyping import Float

from heads_training.render.head import Parameters

Colour = Float[np.ndarray, " 3"]

SKIN_TONES = [(0.905, 0.74, 0.65), (0.87, 0.685, 0.575), (0.79, 0.58, 0.455), (0.65, 0.44, 0.32), (0.48, 0.31, 0.22)]
SKIN_TONES += [(0.35, 0.225, 0.165)]
HAIR_TONES = [(0.80, 0.66, 0.43), (0.62, 0.45, 0.27), (0.40, 0.25, 0.15), (0.22, 0.14, 0.095), (0.10, 0.075, 0.065)]
IRIS_TONES = [(0.38, 0.54, 0.70), (0.45, 0.50, 0.40), (0.45, 0.29, 0.13), (0.24, 0.13, 0.07)]


def linear(colour: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Convert display values to linear light."""
    return np.clip(colour, 0, 1) ** 2.2


def oklab(lightness: float, a: float, b: float) -> Colour:
    """Convert OKLab (Ottosson 2020) to linear light, clipped."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    return np.clip([red, green, blue], 0, 1)


def _interpolate(tones: list[tuple[float, float, float]], t: float) -> Colour:
    places = np.linspace(0, 1, len(tones))
    return linear(np.array([np.interp(t, places, channel) for channel in np.array(tones).T]))


def skin(p: Parameters) -> Colour:
    """Colour of the skin."""
    u = 0.3 * np.tanh(p["undertone"])
    return np.clip(_interpolate(SKIN_TONES, p["skin_dark"] ** 1.15) * (1 - 0.04 * u, 1 + 0.02 * u, 1 - 0.22 * u), 0, 1)


def lips(p: Parameters) -> Colour:
    """Colour of the lips, with or without lipstick."""
    bare = skin(p) * (0.80, 0.60, 0.57)
    hue = 0.5 + 0.5 * np.tanh(p["lip_hue"])
    painted = linear(np.array([0.70, 0.24, 0.26]) * (1 - hue) + np.array([0.74, 0.40, 0.42]) * hue)
    painted *= 1 - 0.5 * p["skin_dark"]
    return bare + (painted - bare) * 0.7 * p["lipstick"]


def hair(p: Parameters) -> Colour:
    """Colour of the hair."""
    plain = _interpolate(HAIR_TONES, p["hair_dark"])
    red = linear(np.array([0.53, 0.27, 0.145])) * (1.1 - 0.7 * p["hair_dark"])
    coloured = plain + (red - plain) * 0.8 * p["hair_red"]
    return coloured + (linear(np.array([0.72, 0.71, 0.70])) - coloured) * 0.88 * p["grey"]


def iris(p: Parameters) -> Colour:
    """Colour of the iris."""
    colour = _interpolate(IRIS_TONES, p["iris_dark"])
    return colour * (1 - 0.12 * p["iris_green"], 1, 1 - 0.30 * p["iris_green"])


def cloth(p: Parameters) -> Colour:
    """Colour of the clothes."""
    return oklab(p["cloth_light"], p["cloth_a"], p["cloth_b"])


def hat(p: Parameters) -> Colour:
    """Colour of the beanie."""
    return oklab(p["hat_light"], p["hat_a"], p["hat_b"])


def glasses(p: Parameters) -> Colour:
    """Colour of the frame of the glasses."""
    t = p["glasses_light"]
    return np.array([0.018, 0.016, 0.016]) * (1 - t) + np.array([0.16, 0.10, 0.05]) * t
