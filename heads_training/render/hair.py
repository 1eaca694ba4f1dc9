"""Hair: one closed sheet around the head.

Its upper rows follow the scalp of the head's shape; its lower rows lie on the neck when hair is short and hang from the
temples when it is long, so that no gap opens between the two. Where hair ends, the sheet fades.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from heads_training.render.head import Head, Parameters, Pose, smooth
from heads_training.render.mesh import SKIN

COLUMNS = 72  # around the head
UPPER = 18  # rows from the crown to the temples
LOWER = 14  # rows below
CENTRE = np.array([0, 7.4, 0.35])
TEMPLE = -2.0  # elevation of the last upper row, degrees
NAPE = -52.0  # elevation of the last row, degrees


@dataclass(frozen=True)
class Sheet:
    """Vertices of a surface, as the renderer takes them.

    Attributes:
        position: posed positions.
        normal: outward normals.
        along: directions of the hair, downward.
        place: angle around the head (0 in front, shifted by the parting), distance down the sheet as a share,
            distance inside the edge of the hair (positive inside), shade in grooves and depth.
    """

    position: Float[np.ndarray, "points 3"]
    normal: Float[np.ndarray, "points 3"]
    along: Float[np.ndarray, "points 3"]
    place: Float[np.ndarray, "points 4"]


class Hair:
    """The sheet, and its binding to the vertices of a head."""

    def __init__(self, head: Head):
        rows = UPPER + LOWER
        self.shape = (rows, COLUMNS + 1)
        angle = np.linspace(-180, 180, COLUMNS + 1)
        elevation = np.concatenate([np.linspace(90, TEMPLE, UPPER), np.linspace(TEMPLE, NAPE, LOWER + 1)[1:]])
        self.angle, self.elevation = (a.ravel() for a in np.meshgrid(np.radians(angle), np.radians(elevation)))
        self.row = np.repeat(np.arange(rows), COLUMNS + 1)
        self.bind = self._smoothing() @ self._cast(head)
        self.rest = np.asarray(self.bind @ head.rest)
        self.triangles = self._triangles()
        self.down = np.clip((self.row - UPPER + 1) / LOWER, 0, 1)  # position in the hanging part, 0 to 1
        last = UPPER - 1
        self.release = last * (COLUMNS + 1) + np.tile(np.arange(COLUMNS + 1), rows)

    def _cast(self, head: Head) -> sp.csr_matrix:
        """Weights of the vertices at which rays from the middle of the head first meet its skin."""
        triangles = head.baked.triangles
        triangles = triangles[(head.baked.part[triangles] == SKIN).all(1) & (head.rest[triangles][..., 1].max(1) > 5.4)]
        a, b, c = (head.rest[triangles[:, k]].astype(float) - CENTRE for k in range(3))
        level = np.cos(self.elevation)
        rays = np.stack([np.sin(self.angle) * level, np.sin(self.elevation), np.cos(self.angle) * level], 1)
        e, f = b - a, c - a
        matrix = np.zeros((len(rays), 6))
        for number, ray in enumerate(rays):
            h = np.cross(ray, f)
            det = (e * h).sum(1)
            det = np.where(np.abs(det) < 1e-12, 1e-12, det)
            u = -(a * h).sum(1) / det
            q = np.cross(-a, e)
            v, t = (q @ ray) / det, (q * f).sum(1) / det
            hit = (u > -1e-4) & (v > -1e-4) & (u + v < 1 + 1e-4) & (t > 0.2)
            first = np.where(hit, t, np.inf).argmin()
            matrix[number] = *triangles[first], 1 - u[first] - v[first], u[first], v[first]
        lines = np.repeat(np.arange(len(rays)), 3)
        weights = sp.csr_matrix(
            (matrix[:, 3:].ravel(), (lines, matrix[:, :3].astype(int).ravel())), shape=(len(rays), len(head.rest))
        )
        return self._mirrored(weights, head)

    def _mirrored(self, weights: sp.csr_matrix, head: Head) -> sp.csr_matrix:
        count = len(head.rest)
        other = np.arange(weights.shape[0]).reshape(self.shape)[:, ::-1].ravel()
        swap = sp.csr_matrix((np.ones(count), (np.arange(count), head.baked.mirror)), shape=(count, count))
        return (0.5 * (weights + weights[other] @ swap)).tocsr()

    def _smoothing(self) -> sp.csr_matrix:
        number = np.arange(np.prod(self.shape)).reshape(self.shape)
        rows, columns = [], []
        for turn in (-1, 1):
            around = number[:, np.r_[0:COLUMNS, 0]].copy()
            around[:, :COLUMNS] = np.roll(number[:, :COLUMNS], turn, 1)
            around[:, COLUMNS] = around[:, 0]
            rows.append(number.ravel())
            columns.append(around.ravel())
            along = number[np.clip(np.arange(self.shape[0]) + turn, 0, self.shape[0] - 1)]
            rows.append(number.ravel())
            columns.append(along.ravel())
        count = number.size
        near = sp.csr_matrix(
            (np.full(4 * count, 0.125), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
        )
        step = near + 0.5 * sp.identity(count)
        return step @ step @ step

    def _triangles(self) -> Int[np.ndarray, "triangles 3"]:
        n = np.arange(np.prod(self.shape)).reshape(self.shape)
        a, b, c, d = n[:-1, :-1], n[1:, :-1], n[1:, 1:], n[:-1, 1:]
        left = np.arange(COLUMNS) < COLUMNS // 2  # the diagonal is mirrored on the other side
        one = np.where(left[None, :, None], np.stack([a, b, c], -1), np.stack([a, b, d], -1))
        two = np.where(left[None, :, None], np.stack([a, c, d], -1), np.stack([b, c, d], -1))
        return np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3)])

    def edge(self, p: Parameters) -> Float[np.ndarray, " points"]:
        """Distance of each point of the scalp from the edge of the hair, positive inside."""
        x, y, z = self.rest.T
        side = np.abs(x)
        line = (y - 7.90) - 0.80 * (z - 1.30) - p["hairline"]
        temples = smooth(side, 0.2, 0.5) * smooth(z, 0.6, 1.0)
        line -= temples * (0.03 + 1.1 * max(p["hairline"], 0)) - 0.05 * smooth(side, 0.55, 0.75) * smooth(z, 0.3, 0.6)
        sweep = 1 + 0.8 * np.tanh(p["parting"]) * np.tanh(2.5 * x)
        line += 0.36 * p["fringe"] * smooth(z, 0.75, 1.1) * smooth(-side, -0.75, -0.45) * sweep
        front = 0.55 + 0.5 * p["frame"]
        hanging = 0.8 * (np.abs(self.angle) - front - 0.35 * smooth(-y, -7.6, -6.6))
        long = long_share(p)
        return line * (1 - long) + np.maximum(line, hanging) * long

    def build(self, p: Parameters, vertices: Float[np.ndarray, "vertices 3"], pose: Pose) -> Sheet:
        """The posed sheet of one head."""
        scalp = np.asarray(self.bind @ vertices)
        edge, long, length = self.edge(p), long_share(p), p["hair_length"]
        grown = 0.05 + 0.95 * float(smooth(np.array(length), -0.05, 0.40))
        volume = (0.04 + 0.20 * p["hair_volume"] + 0.10 * p["wave"]) * grown
        rise = smooth(edge, 0.02, 0.38)
        out = scalp - (CENTRE - (0, 0.3, 0))
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        groove = p["parting"] * 0.42
        x = np.sin(self.angle) * np.cos(self.elevation)
        part = np.exp(-(((x - np.tanh(groove) * 0.5) / 0.07) ** 2)) * smooth(scalp[:, 2], 0.2, 0.7)
        part *= smooth(self.elevation, 0.5, 0.8) * (0.25 + 0.75 * np.tanh(abs(p["parting"]))) * min(1, 2 * length)
        part *= 1 - 0.8 * p["fringe"]
        ripple = p["wave"] * np.cos(9 * self.angle) * np.sin(5 * self.elevation)
        cap_off = 1 - 0.85 * p["hat"]
        height = 0.008 + volume * cap_off * rise * (1 - 0.35 * part) + 0.02 * ripple * rise * min(1, 2 * length)
        hugging = scalp + out * height[:, None]
        hugging[:, 1] += 0.25 * volume * cap_off * smooth(scalp[:, 1], 7.6, 8.4) * rise
        top = hugging[self.release]
        bottom = 6.55 + (4.75 - 6.55) * smooth(np.array(length), 0.35, 1.15)
        bottom = bottom + 0.10 * np.cos(self.angle)
        outward = np.stack([np.sin(self.angle), 0 * self.angle, np.cos(self.angle)], 1)
        fall = self.down * (top[:, 1] - bottom)
        flare = 0.10 * np.sin(np.minimum(fall, 1.4) / 1.4 * np.pi) + 0.06 * smooth(fall, 1.0, 2.0)
        flare += 0.05 * smooth(np.abs(outward[:, 0]), 0.6, 1.0) * smooth(fall, 0.0, 0.25)
        flare += 0.045 * p["wave"] * np.sin(7 * fall + 2 * np.cos(6 * self.angle)) * smooth(fall, 0.1, 0.5)
        hanging = top + outward * flare[:, None]
        hanging[:, 1] -= fall
        hanging[:, 2] -= 0.08 * smooth(fall, 0.3, 1.2)
        points = np.where((self.down > 0)[:, None], hugging * (1 - long) + hanging * long, hugging)
        weight = smooth(points[:, 1] + 0.3 * (points[:, 2] - 0.35), 5.2, 6.7)
        posed = pose(points, weight)
        normal, along = self.frame(posed)
        ends = 1 - smooth(self.down, 0.82, 1.0) * long
        strand = self.angle + 0.5 * np.tanh(groove) * np.cos(self.elevation) * (1 + np.cos(self.angle))
        shade = 1 - 0.35 * part
        shade *= 1 - 0.25 * self.down * (0.5 + 0.5 * long)
        edge = np.minimum(edge, 0.35) * ends - 0.12 * (1 - ends)
        place = np.stack([strand, (top[:, 1] - points[:, 1]) * 0.5, edge, shade], 1)
        return Sheet(posed, normal, along, place.astype(np.float32))

    def frame(self, points: Float[np.ndarray, "points 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Normals of the sheet, and the directions downward along it."""
        grid = points.reshape(*self.shape, 3)
        around = np.empty_like(grid)
        around[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
        around[:, 0] = around[:, -1] = grid[:, 1] - grid[:, -2]
        along = np.gradient(grid, axis=0)
        normal = np.cross(along, around)
        normal[0] = normal[1].mean(0)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
        return normal.reshape(-1, 3), along.reshape(-1, 3)


def long_share(p: Parameters) -> float:
    """0 for hair that lies on the head, 1 for hair that hangs."""
    return float(smooth(np.array(p["hair_length"]), 0.42, 0.62))
