"""Glasses made of thin tubes, and a beanie that follows the sheet of the hair."""

import numpy as np
from jaxtyping import Float, Int

from heads_training.render.hair import CENTRE, Hair, Sheet
from heads_training.render.head import Head, Parameters, Pose, smooth

RIM = 40  # points of one rim
STRAIGHT = 8  # points of the bridge and of each temple
SIDES = 5  # sides of a tube
THICKNESS = 0.017  # radius of a tube


def hat(hair: Hair, p: Parameters, vertices: Float[np.ndarray, "vertices 3"], pose: Pose) -> Sheet:
    """The beanie of one head."""
    scalp = np.asarray(hair.bind @ vertices)
    _, y, z = hair.rest.T
    edge = (y - 7.70) - 0.32 * (z - 1.25)
    out = scalp - (CENTRE - (0, 0.3, 0))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    volume = 0.4 * (0.04 + 0.2 * p["hair_volume"])
    band = smooth(-edge, -0.30, -0.24)
    height = 0.06 + volume * smooth(edge, 0, 0.4) + 0.035 * band + 0.24 * smooth(scalp[:, 1], 7.8, 8.5)
    points = scalp + out * height[:, None]
    posed = pose(points, np.ones(len(points), np.float32))
    normal, along = hair.frame(posed)
    place = np.stack([hair.angle, y, edge, band], 1).astype(np.float32)
    return Sheet(posed, normal, along, place)


def glasses_triangles() -> Int[np.ndarray, "triangles 3"]:
    """Triangles of the tubes that `glasses` makes."""
    triangles, start = [], 0
    for count in (RIM + 1, RIM + 1, STRAIGHT, STRAIGHT, STRAIGHT):
        n = start + np.arange(count * SIDES).reshape(count, SIDES)
        a, b = n[:-1], n[1:]
        c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
        triangles += [np.stack(corner, -1).reshape(-1, 3) for corner in ((a, b, c), (a, c, d))]
        start += count * SIDES
    return np.concatenate(triangles)


def glasses(head: Head, p: Parameters, vertices: Float[np.ndarray, "vertices 3"], pose: Pose) -> Sheet:
    """The glasses of one head."""
    eyes = head.eye_centres(vertices)
    turn = np.linspace(0, 2 * np.pi, RIM + 1)
    power = 2 / (3.6 - 1.5 * p["glasses_round"])
    cos, sin = np.cos(turn), np.sin(turn)
    depth = max(eye[2] for eye in eyes) + 0.27
    lines = []
    half = 0.5 * np.abs(eyes[0][0] - eyes[1][0]) - 0.075
    high = half * (0.66 + 0.22 * p["glasses_round"])
    for eye, sign in zip(eyes, (1, -1), strict=True):
        x = eye[0] + sign * (0.02 + half * np.sign(cos) * np.abs(cos) ** power)
        y = eye[1] - 0.03 + high * np.sign(sin) * np.abs(sin) ** power
        lines.append(np.stack([x, y, depth - 0.32 * x * x], 1))
    t = np.linspace(-1, 1, STRAIGHT)
    inner = min(abs(lines[0][:, 0]).min(), abs(lines[1][:, 0]).min())
    height = (eyes[0][1] + eyes[1][1]) / 2 + 0.03 + 0.03 * (1 - t * t)
    lines.append(np.stack([inner * t, height, depth + 0.01 * (1 - t * t)], 1))
    for side, line, sign in zip("lr", lines[:2], (1, -1), strict=True):
        start = line[np.argmax(sign * line[:, 0])] + (0, 0.03, 0)
        end = vertices[head.marks[f"ear_top_{side}"]] * (0.97, 1, 1) + (0, -0.06, -0.02)
        t = np.linspace(0, 1, STRAIGHT)[:, None]
        path = start + (end - start) * t
        path[:, 0] += sign * 0.05 * np.sin(np.pi * t[:, 0])
        lines.append(path)
    tubes = [_tube(line) for line in lines]
    points, normals = (np.concatenate([tube[k] for tube in tubes]) for k in (0, 1))
    posed = pose(points, np.ones(len(points), np.float32))
    normals = normals @ pose.head.T
    return Sheet(posed, normals, normals, np.zeros((len(points), 4), np.float32))


def _tube(line: Float[np.ndarray, "points 3"]) -> tuple[np.ndarray, np.ndarray]:
    along = np.gradient(line, axis=0)
    if np.allclose(line[0], line[-1]):
        along[0] = along[-1] = line[1] - line[-2]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, (0.02, 0.11, 1.0) if abs(along[0, 2]) < 0.7 else (0.05, 1.0, 0.1))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(across, along)
    turn = np.arange(SIDES) * 2 * np.pi / SIDES
    normal = across[:, None] * np.cos(turn)[:, None] + up[:, None] * np.sin(turn)[:, None]
    return (line[:, None] + THICKNESS * normal).reshape(-1, 3), normal.reshape(-1, 3)
