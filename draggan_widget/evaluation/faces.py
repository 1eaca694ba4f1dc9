"""dlib's 68 face landmarks and 128-d identity, for studies only.

Needs the extra `study` (dlib-bin and face-recognition-models); the model files are read from the installed folder
without importing that package. Source: Kazemi and Sullivan 2014; King 2009 (dlib).
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from draggan_widget.errors import DragganError

SIDE = 512  # px: every coordinate of a study
REMEDY = "install the extra: pip install 'draggan-widget[study]'"
NOSE_TIP = 30
FIVE = (36, 45, 30, 48, 54)  # outer eye corners, nose tip, mouth corners


class FaceDetector:
    """Landmarks and identity of the one face in a picture."""

    def __init__(self) -> None:
        try:
            import dlib  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise DragganError(f"dlib is not installed ({error}); {REMEDY}") from error
        tools: Any = dlib
        models = _models()
        self._find = tools.get_frontal_face_detector()
        self._shape = tools.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
        self._embed = tools.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def landmarks(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "68 2"] | None:
        """(x, y) in px of the picture scaled to 512, of its largest face; None when there is none."""
        shape = self._predict(_scaled(pixels))
        return None if shape is None else np.array([(p.x, p.y) for p in shape.parts()], dtype=float)

    def identity(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "128"] | None:
        """An embedding; two of one person are usually nearer than 0.6."""
        small = _scaled(pixels)
        shape = self._predict(small)
        return None if shape is None else np.array(self._embed.compute_face_descriptor(small, shape))

    def _predict(self, small: np.ndarray) -> Any:
        faces = self._find(small, 0)
        if not faces:
            return None
        return self._shape(small, max(faces, key=lambda face: face.area()))


def _models() -> Path:
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise DragganError(f"face-recognition-models is not installed; {REMEDY}")
    return Path(spec.origin).parent / "models"


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))
