"""Draws the picture of a vector and computes its landmarks, by OpenGL without a window (EGL)."""

import math
from collections.abc import Mapping
from pathlib import Path

import moderngl
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy.typing import ArrayLike

from heads_training.render import colours, worn
from heads_training.render.hair import Hair, Sheet, long_share
from heads_training.render.head import EYEBALL, Head, Parameters, Pose, gaze_direction, smooth
from heads_training.render.mesh import SKIN, load_head
from heads_training.render.vector import parameters

SHADERS = Path(__file__).parent / "shaders"
DISTANCE = 13.0  # distance of the camera
SCALE = 0.665  # half pictures per unit of length, for the mean face
CENTRE_Y = -0.095  # height of the face's middle above that of the picture, half pictures
OCCLUSION_DIRECTIONS = 96


class Renderer:
    """Draws square pictures."""

    def __init__(self, size: int, supersample: int = 2):
        """Open an OpenGL context and upload the meshes.

        Args:
            size: side of a picture, px.
            supersample: samples along the side of a pixel, which is the mean of them all.
        """
        self.size, self.supersample = size, supersample
        self.head = Head(load_head())
        self.hair = Hair(self.head)
        self.context = moderngl.create_context(standalone=True, backend="egl")
        side = size * supersample
        self.target = self.context.framebuffer(
            [self.context.texture((side, side), 4)], self.context.depth_renderbuffer((side, side))
        )
        self.background = self._program("background.vert", "background.frag")
        corners = np.array([-1, -1, 3, -1, -1, 3], "f4")
        self.wall = self.context.simple_vertex_array(self.background, self.context.buffer(corners.tobytes()), "corner")
        layout = ("3f position", "3f normal", "3f rest", "4f mask", "2f kind")
        triangles, part = self.head.baked.triangles, self.head.baked.part
        nearness = self.head.rest[triangles, 2].mean(1)
        triangles = triangles[np.lexsort((-nearness, part[triangles[:, 0]]))]  # lashes are drawn last
        skin = part[triangles[:, 0]] == SKIN
        count = len(self.head.rest)
        self.skin_mesh = _Mesh(self, "head.vert", "skin.frag", layout, count, triangles[skin])
        self.parts_mesh = _Mesh(self, "head.vert", "parts.frag", layout, count, triangles[~skin])
        layout = ("3f position", "3f normal", "3f along", "4f place")
        count, triangles = len(self.hair.rest), self.hair.triangles
        self.hair_mesh = _Mesh(self, "hair.vert", "hair.frag", layout, count, triangles)
        self.hat_mesh = _Mesh(self, "hair.vert", "hat.frag", layout, count, triangles)
        tubes = worn.glasses_triangles()
        self.glasses_mesh = _Mesh(self, "hair.vert", "plain.frag", layout, int(tubes.max()) + 1, tubes)
        self.open = self._occlusion()

    def render(
        self, vector: Float[np.ndarray, " entries"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "k 2"]]:
        """Draw the picture of a vector; return it and its landmarks, (x, y) px with pixel centres at integers."""
        return self.render_parameters(parameters(vector))

    def render_parameters(self, p: Parameters) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "k 2"]]:
        """Draw a picture as `render` does, from named parameters."""
        vertices = self.head.shape(p)
        pose, size = self.head.pose(p, vertices)
        camera = (p["shift_x"], CENTRE_Y + p["shift_y"], SCALE * p["scale"] / size, DISTANCE)
        light = np.array([p["light_x"], p["light_y"], 0.85])
        warm = p["light_warm"]
        shared = {
            "camera": camera,
            "distance_": DISTANCE,
            "light": light / np.linalg.norm(light),
            "key": np.array([1 + 0.10 * warm, 1, 1 - 0.12 * warm]) * 0.96 * p["light_key"],
            "fill": np.array([1 - 0.05 * warm, 1, 1 + 0.07 * warm]) * 0.42 * p["light_fill"],
            "rim": np.array([1, 1, 1.05]) * 0.55 * p["light_fill"],
            "hair": colours.hair(p),
        }
        self.target.use()
        self.target.clear(0, 0, 0, 1, depth=1)
        self._draw_background(p)
        self.context.enable(moderngl.DEPTH_TEST | moderngl.BLEND)
        self.context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        posed = self._draw_head(p, vertices, pose, shared)
        if p["glasses"] > 0.01:
            sheet = worn.glasses(self.head, p, vertices, pose)
            uniforms = {"tone": colours.glasses(p), "cover": p["glasses"]}
            self.glasses_mesh.draw(_packed(sheet), {**shared, **uniforms})
        self._draw_hair(self.hair.build(p, vertices, pose), p, shared)
        if p["hat"] > 0.01:
            sheet = worn.hat(self.hair, p, vertices, pose)
            self.context.enable(moderngl.CULL_FACE)
            self.hat_mesh.draw(_packed(sheet), {**shared, "cloth": colours.hat(p), "cover": p["hat"]})
            self.context.disable(moderngl.CULL_FACE)
        marks = self.head.landmarks(p, vertices, posed, pose)
        depth = DISTANCE - marks[:, 2:]
        place = (marks[:, :2] * camera[2] * DISTANCE / depth + camera[:2]) * (0.5, -0.5) + 0.5
        return self._read(), (place * self.size - 0.5).astype(np.float32)

    def _draw_background(self, p: Parameters) -> None:
        self.context.disable(moderngl.DEPTH_TEST | moderngl.BLEND)
        self.background["tone"] = p["back_light"], p["back_a"], p["back_b"]
        self.background["gradient"] = p["back_x"], p["back_y"], p["back_glow"]
        self.wall.render(moderngl.TRIANGLES)

    def _draw_head(
        self, p: Parameters, vertices: Float[np.ndarray, "v 3"], pose: Pose, shared: Mapping[str, ArrayLike]
    ) -> Float[np.ndarray, "v 3"]:
        head = self.head
        posed = pose(vertices, head.weight)
        normals = head.normals(posed)
        skin = head.baked.part == SKIN
        beard = 0.07 * smooth(np.array(p["beard"]), 0.35, 1.0) * head.beard
        dressed = 0.035 * smooth(-head.rest[:, 1] - 0.42 * (head.rest[:, 2] - 0.1), -5.86, -5.6) * skin
        placed = posed + normals * (beard + dressed)[:, None]
        rest = head.rest.copy()
        for eye, centre in zip(head.eyes, head.eye_centres(vertices), strict=True):
            rest[eye] = (vertices[eye] - centre) / EYEBALL
        mask = np.concatenate([head.baked.masks[:, :3], head.red[:, None]], 1)
        kind = np.stack([head.baked.part, self.open], 1)
        tint = float(smooth(np.array(p["hair_length"]), -0.02, 0.10))
        uniforms = {
            "skin": colours.skin(p),
            "lip": colours.lips(p),
            "iris": colours.iris(p),
            "cloth": colours.cloth(p),
            "look": gaze_direction(p),
            "style": (p["hairline"], tint, p["fringe"], p["neckline"]),
            "face": (p["beard"], p["brow_weight"], 0.3 + 0.6 * p["ruddy"], p["lipstick"]),
            "lashes": 0.50 - 0.28 * p["masculine"],
        }
        packed = np.concatenate([placed, normals, rest, mask, kind], 1)
        self.context.enable(moderngl.CULL_FACE)
        self.context.cull_face = "back"
        self.skin_mesh.draw(packed, {**shared, **uniforms})
        self.context.disable(moderngl.CULL_FACE)
        self.parts_mesh.draw(packed, {**shared, **uniforms})
        return posed

    def _draw_hair(self, sheet: Sheet, p: Parameters, shared: Mapping[str, ArrayLike]) -> None:
        cover = 0.25 + 0.75 * float(smooth(np.array(p["hair_length"]), 0.0, 0.14))
        thin = 0.11 - 0.03 * long_share(p)
        covers = {0.0: cover, 1.0: float(smooth(np.array(long_share(p)), 0, 0.4))}
        packed = _packed(sheet)
        self.context.enable(moderngl.CULL_FACE)
        for culled, inside in (("front", 1.0), ("back", 0.0))[long_share(p) <= 0.01 :]:
            self.context.cull_face = culled
            self.hair_mesh.draw(packed, {**shared, "cover": covers[inside], "inside": inside, "thin": thin})
        self.context.disable(moderngl.CULL_FACE)

    def _read(self) -> UInt8[np.ndarray, "h w 3"]:
        size, k = self.size, self.supersample
        data = np.frombuffer(self.target.read(components=4), np.uint8)
        rows = data.reshape(size * k, size * k, 4)[::-1]
        tall = sum((rows[row::k] for row in range(k)), np.uint16(k * k // 2))
        total = sum((tall[:, column::k] for column in range(k)), np.uint16(0))
        return np.ascontiguousarray((total // np.uint16(k * k)).astype(np.uint8)[..., :3])

    def _program(self, vertex: str, fragment: str) -> moderngl.Program:
        return self.context.program(
            "#version 330\n" + (SHADERS / "camera.glsl").read_text() + (SHADERS / vertex).read_text(),
            "#version 330\n" + (SHADERS / "common.glsl").read_text() + (SHADERS / fragment).read_text(),
        )

    def _occlusion(self) -> Float[np.ndarray, " vertices"]:
        """Share of the sky that each vertex of the rest head sees, from depth maps of many directions."""
        head, side = self.head, 256
        triangles = head.baked.triangles[head.baked.part[head.baked.triangles[:, 0]] <= 3]
        program = self.context.program(
            "#version 330\n" + (SHADERS / "depth.vert").read_text(),
            "#version 330\n" + (SHADERS / "depth.frag").read_text(),
        )
        target = self.context.framebuffer(
            [self.context.texture((side, side), 1, dtype="f4")], self.context.depth_renderbuffer((side, side))
        )
        mesh = self.context.vertex_array(
            program,
            [(self.context.buffer(head.rest.astype("f4").tobytes()), "3f", "p")],
            self.context.buffer(triangles.astype("i4").tobytes()),
        )
        normals, seen, total = head.normals(head.rest), np.zeros(len(head.rest)), np.zeros(len(head.rest))
        self.context.enable(moderngl.DEPTH_TEST)
        for number in range(OCCLUSION_DIRECTIONS):
            y = 1 - 2 * (number + 0.5) / OCCLUSION_DIRECTIONS
            turn = number * math.pi * (3 - math.sqrt(5))
            ray = np.array([math.sqrt(1 - y * y) * math.cos(turn), y, math.sqrt(1 - y * y) * math.sin(turn)])
            across = np.cross((0, 1, 0) if abs(y) < 0.95 else (1, 0, 0), ray)
            across /= np.linalg.norm(across)
            view = np.eye(4)
            view[:3, :3] = np.stack([across / 2.4, np.cross(ray, across) / 2.4, -ray / 4])
            view[:3, 3] = -view[:3, :3] @ (0, 6.9, 0.4)
            program["m"].write(view.T.astype("f4").tobytes())
            target.use()
            target.clear(1, 1, 1, 1)
            mesh.render()
            depth = np.frombuffer(target.read(components=1, dtype="f4"), "f4").reshape(side, side)
            place = head.rest @ view[:3, :3].T + view[:3, 3]
            x, y = np.clip(((place[:, :2] + 1) / 2 * side).astype(int), 0, side - 1).T
            weight = np.maximum(normals @ ray, 0)
            seen += weight * (place[:, 2] < depth[y, x] + 0.012)
            total += weight
        share = seen / np.maximum(total, 1e-6)
        share = 0.5 * (share + share[head.baked.mirror])
        return np.clip(share * 1.15, 0.08, 1).astype(np.float32)


class _Mesh:
    def __init__(
        self,
        renderer: Renderer,
        vertex: str,
        fragment: str,
        layout: tuple[str, ...],
        count: int,
        triangles: Int[np.ndarray, "triangles 3"],
    ):
        context = renderer.context
        self.program = renderer._program(vertex, fragment)
        formats, names = zip(*(entry.split() for entry in layout), strict=True)
        width = sum(int(entry[0]) for entry in formats)
        self.vertices = context.buffer(reserve=count * width * 4)
        shown = [
            (form, name) if name in self.program else (f"{int(form[0]) * 4}x", None)
            for form, name in zip(formats, names, strict=True)
        ]
        content = (self.vertices, " ".join(form for form, _ in shown), *(name for _, name in shown if name))
        self.array = context.vertex_array(self.program, [content], context.buffer(triangles.astype("i4").tobytes()))

    def draw(self, packed: np.ndarray, uniforms: Mapping[str, ArrayLike]) -> None:
        for name, value in uniforms.items():
            if name in self.program:
                self.program[name] = (
                    tuple(np.asarray(value, float).tolist()) if np.ndim(value) else float(np.asarray(value))
                )
        self.vertices.write(np.ascontiguousarray(packed, dtype="f4").tobytes())
        self.array.render()


def _packed(sheet: Sheet) -> Float[np.ndarray, "points 13"]:
    return np.concatenate([sheet.position, sheet.normal, sheet.along, sheet.place], 1)
