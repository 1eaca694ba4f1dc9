"""The posed head of given parameters: shape, pose of head and shoulders, landmarks."""

import math

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from heads_training.render.mesh import EYE, RACES, SKIN, BakedHead
from heads_training.render.vector import DETAILS, SIZE, parameters

Parameters = dict[str, float]
Points = Float[np.ndarray, "points 3"]

PAIRED = ("eye_in", "eye_out", "eye_up", "eye_dn", "pupil", "brow_in", "brow_mid", "brow_out", "nostril", "ear_top")
PAIRED += ("ear_lobe", "jaw", "cheek", "mouth")
LANDMARKS = ("nose_tip", "lip_top", "lip_bot", "chin", "nasion", "forehead")
LANDMARKS += tuple(f"{name}_{side}" for name in PAIRED for side in "lr")
SWAP = tuple(
    LANDMARKS.index({"_l": name[:-2] + "_r", "_r": name[:-2] + "_l"}.get(name[-2:], name)) for name in LANDMARKS
)

PIVOT = np.array([0, 6.75, 0.35], np.float32)  # the head turns about this point
EYEBALL = 0.147  # radius


def rotation(yaw: float, pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Rotation by pitch, then yaw, then roll, in degrees."""
    y, x, z = np.radians([yaw, pitch, roll])
    cy, sy, cx, sx, cz, sz = np.cos(y), np.sin(y), np.cos(x), np.sin(x), np.cos(z), np.sin(z)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothstep: rises from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class Pose:
    """Maps points of the rest head to camera space (the camera looks along -z at the origin)."""

    def __init__(self, p: Parameters, centre: Float[np.ndarray, " 3"]):
        self.head = rotation(p["yaw"], p["pitch"], p["roll"])
        self.body = rotation(0.35 * p["yaw"], 0.1 * p["pitch"], 0.15 * p["roll"])
        self.centre = self.head @ (centre - PIVOT)

    def __call__(self, points: Points, weight: Float[np.ndarray, " points"]) -> Points:
        """Pose points; `weight` is 1 where a point moves with the head, 0 where it moves with the body."""
        d, w = points - PIVOT, weight[:, None]
        return ((d @ self.head.T) * w + (d @ self.body.T) * (1 - w) - self.centre).astype(np.float32)


def neck_weight(points: Points) -> Float[np.ndarray, " points"]:
    """Weight of the head's rotation at points of the skin; the rest is the body's."""
    return smooth(points[:, 1] + 0.40 * (points[:, 2] - 0.35), 5.65, 6.65).astype(np.float32)


class Head:
    """The baked head, and data computed once from its rest shape."""

    def __init__(self, baked: BakedHead):
        self.baked = baked
        self.flat = baked.controls.reshape(len(baked.names), -1)
        self.number = {name: index for index, name in enumerate(baked.names)}
        count, triangles = len(baked.base), baked.triangles
        faces = np.tile(np.arange(len(triangles)), 3)
        ones = np.ones(3 * len(triangles), np.float32)
        self.incidence = sp.csr_matrix((ones, (triangles.T.ravel(), faces)), shape=(count, len(triangles)))
        self.rest = self.shape(parameters(np.zeros(SIZE)), expression=False)
        self.weight = np.where(baked.part == SKIN, neck_weight(self.rest), 1).astype(np.float32)
        eye = baked.part == EYE
        self.eyes = [np.flatnonzero(eye & (self.rest[:, 0] * side > 0)) for side in (1, -1)]
        self.marks = self._marks()
        self.red = red_zone(self.rest)
        self.beard = beard_zone(self.rest) * (baked.part == SKIN)

    def shape(self, p: Parameters, expression: bool = True) -> Points:
        """The unposed vertices."""
        weights = self._identity(p)
        if expression:
            weights += self._expression(p)
        return self.baked.base + (weights @ self.flat).reshape(-1, 3)

    def _identity(self, p: Parameters) -> np.ndarray:
        w = np.zeros(len(self.number), np.float32)
        male, old = 1.12 * p["masculine"] - 0.06, p["years"]
        race = np.exp(1.3 * np.array([p["africa"], p["asia"], -0.5 * (p["africa"] + p["asia"])]))
        race /= race.sum()
        for sex_share, sex in ((1 - male, "female"), (male, "male")):
            for age_share, age in ((1 - old, "young"), (old, "old")):
                for share, name in zip(race, RACES, strict=True):
                    w[self.number[f"{name}-{sex}-{age}"]] += sex_share * age_share * share
                for muscle_share, muscle in _thirds(p["muscle"] + 0.2 * (male - 0.5)):
                    for weight_share, weight in _thirds(p["weight"]):
                        name = f"universal-{sex}-{age}-{muscle}muscle-{weight}weight"
                        w[self.number[name]] += sex_share * age_share * muscle_share * weight_share
        lean = {"chin_width": 0.38, "jaw_drop": 0.25, "neck_width": 0.45, "brow_height": -0.15, "eye_size": -0.15}
        lean |= {"upper_lip": -0.25, "lower_lip": -0.2, "chin_height": 0.2}
        for name, _, _ in DETAILS:
            amount = p[name] + lean.get(name, 0) * (male - 0.5)
            w[self.number[f"+{name}"]], w[self.number[f"-{name}"]] = max(amount, 0), max(-amount, 0)
        a, b = p["oval_round"], p["square_heart"] - 0.25 * (male - 0.5)
        for name, amount in (("oval", a), ("round", -a), ("square", -b), ("invertedtriangular", b)):
            w[self.number[name]] = 0.8 * max(amount, 0)
        return w

    def _expression(self, p: Parameters) -> np.ndarray:
        smile, brow, side, jaw = p["smile"], p["brow_raise"], p["mouth_side"], p["jaw_open"]
        units = {
            "jaw_open": 0.8 * jaw,
            "smile": max(smile, 0),
            "frown": 0.7 * max(-smile, 0),
            "pucker": 0.7 * p["pucker"],
            "brow_up": 0.8 * max(brow, 0),
            "brow_down": 0.8 * max(-brow, 0),
            "blink": p["blink"],
            "squint": 0.7 * p["squint"],
            "mouth_left": max(side, 0),
            "mouth_right": max(-side, 0),
            "sneer": 0.6 * p["sneer"],
            "upper_lip_up": 0.35 * max(smile, 0) * (1 - 0.5 * jaw),
            "lower_lip_down": 0.25 * max(smile, 0),
        }
        w = np.zeros(len(self.number), np.float32)
        for name, amount in units.items():
            w[self.number[name]] = amount
        return w

    def normals(self, vertices: Points) -> Points:
        """Unit normals of the vertices: means over the triangles around each."""
        a, b, c = (vertices[self.baked.triangles[:, k]] for k in range(3))
        n = self.incidence @ np.cross(b - a, c - a)
        return n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)

    def eye_centres(self, vertices: Points) -> list[Float[np.ndarray, " 3"]]:
        """Centres of the left and the right eye."""
        return [(vertices[eye].max(0) + vertices[eye].min(0)) / 2 for eye in self.eyes]

    def pose(self, p: Parameters, vertices: Points) -> tuple[Pose, float]:
        """The pose that keeps the face in the middle, and the size of this face relative to the mean face."""
        left, right = self.eye_centres(vertices)
        eyes, mouth = (left + right) / 2, vertices[[self.marks["mouth_l"], self.marks["mouth_r"]]].mean(0)
        face = (eyes + mouth) / 2
        middle = np.array([0, face[1] + 0.08, 0.45])
        size = 0.5 * (np.linalg.norm(left - right) / 0.625 + np.linalg.norm(eyes - mouth) / 0.62)
        return Pose(p, (face + middle) / 2), float(size)

    def landmarks(self, p: Parameters, vertices: Points, posed: Points, pose: Pose) -> Points:
        """Posed landmarks, in the order of `LANDMARKS`; pupils follow the gaze."""
        points = posed[[self.marks[name] for name in LANDMARKS]]
        gaze = gaze_direction(p)
        for side, centre in zip("lr", self.eye_centres(vertices), strict=True):
            pupil = (centre + EYEBALL * gaze)[None].astype(np.float32)
            points[LANDMARKS.index(f"pupil_{side}")] = pose(pupil, np.ones(1, np.float32))[0]
        return points

    def _marks(self) -> dict[str, int]:
        rest, masks = self.rest, self.baked.masks
        skin = np.flatnonzero(self.baked.part == SKIN)

        def near(x: float, y: float, z: float) -> int:
            d = (rest[skin, 0] - x) ** 2 + (rest[skin, 1] - y) ** 2 + 9.0 * (rest[skin, 2] < z) - 1e-3 * rest[skin, 2]
            return int(skin[d.argmin()])

        middle = skin[self.baked.mirror[skin] == skin]
        lips = skin[masks[skin, 0] > 0.5]
        lips_middle = np.intersect1d(lips, middle)
        lips = lips[rest[lips, 2] > 1.1]
        marks = {"nose_tip": int(middle[rest[middle, 2].argmax()])}
        marks["lip_top"] = int(lips_middle[rest[lips_middle, 1].argmax()])
        marks["lip_bot"] = int(lips_middle[rest[lips_middle, 1].argmin()])
        below = middle[(rest[middle, 1] < rest[marks["lip_bot"], 1] - 0.12) & (rest[middle, 1] > 6.0)]
        below = below[rest[below, 2] > 0.8]
        marks["chin"] = int(below[(rest[below, 2] - 0.7 * rest[below, 1]).argmax()])
        for name, height in (("nasion", 7.33), ("forehead", 7.8)):
            front = middle[rest[middle, 2] > 1.0]
            marks[name] = int(front[np.abs(rest[front, 1] - height).argmin()])
        nose = rest[marks["nose_tip"], 1]
        eye = self.eyes[0]
        x, y, _ = (rest[eye].max(0) + rest[eye].min(0)) / 2
        places = {
            "eye_in": (x - 0.165, y - 0.03, 1.1),
            "eye_out": (x + 0.165, y + 0.01, 1.0),
            "eye_up": (x, y + 0.075, 1.2),
            "eye_dn": (x, y - 0.075, 1.2),
            "brow_in": (0.15, 7.48, 1.1),
            "brow_mid": (0.33, 7.55, 1.0),
            "brow_out": (0.52, 7.49, 0.8),
            "nostril": (0.16, nose - 0.05, 1.2),
            "jaw": (0.62, 6.62, 0.1),
            "cheek": (0.5, 6.98, 0.6),
        }
        left = {name: near(*place) for name, place in places.items()}
        left["pupil"] = int(eye[rest[eye, 2].argmax()])
        left["mouth"] = int(lips[rest[lips, 0].argmax()])
        ear = skin[(masks[skin, 3] > 0.5) & (rest[skin, 0] > 0.7)]
        left["ear_top"] = int(ear[rest[ear, 1].argmax()])
        left["ear_lobe"] = int(ear[(0.8 * rest[ear, 0] - rest[ear, 1]).argmax()])
        for name, vertex in left.items():
            marks |= {f"{name}_l": vertex, f"{name}_r": int(self.baked.mirror[vertex])}
        return marks


def _thirds(x: float) -> tuple[tuple[float, str], ...]:
    x = min(max(x, 0), 1)
    return (max(0, 1 - 2 * x), "min"), (1 - abs(2 * x - 1), "average"), (max(0, 2 * x - 1), "max")


def gaze_direction(p: Parameters) -> Float[np.ndarray, " 3"]:
    """Direction in which both eyes look, in the head's space."""
    gaze = np.array([p["gaze_x"], p["gaze_y"] - 0.02, 1])
    return gaze / math.sqrt(float(gaze @ gaze))


def red_zone(rest: Points) -> Float[np.ndarray, " points"]:
    """Strength of red in the skin: cheeks, nose, ears, chin, and a little under the eyes."""
    places = np.abs(rest) * (1, 0, 0) + rest * (0, 1, 1)
    spots = ((0.5, (0.42, 6.98, 1.15), 0.24), (0.6, (0, 6.99, 1.62), 0.17), (0.5, (0.85, 7.1, 0.35), 0.22))
    spots += ((0.2, (0, 6.5, 1.4), 0.15), (0.35, (0.30, 7.12, 1.3), 0.12))
    red = [share * np.exp(-(((places - place) / size) ** 2).sum(1)) for share, place, size in spots]
    return np.sum(red, 0).astype(np.float32)


def beard_zone(rest: Points) -> Float[np.ndarray, " points"]:
    """Strength of a full beard at points of the skin."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    below = smooth(-(y - 0.35 * np.maximum(x - 0.25, 0)), -6.75, -6.5)
    return (below * smooth(y + 0.25 * z, 6.45, 6.75) * smooth(z, 0.5, 1.0)).astype(np.float32)
