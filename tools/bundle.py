"""Replace the bundled checkpoint, after checks, and pin its sha256 and size in checkpoints/hub/catalog.py.

`python tools/bundle.py NEW.safetensors`; without a file it pins the present one. Nothing changes unless the file is in
our own format, small enough, names its licence, origin and citation, has valid drag defaults, and generates a picture.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

import torch

from draggan_widget import DragConfig
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.hub import catalog
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.errors import DragganError
from draggan_widget.files import sha256
from draggan_widget.generators.stylegan2.generator import StyleGAN2

LARGEST = 10_000_000  # bytes
REQUIRED_META = ("licence", "origin", "citation", "drag_defaults", "drag_rows")


def main() -> int:
    """Check, copy and pin; return the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=catalog.HEADS.path, help="default: the present one")
    file = parser.parse_args().file
    try:
        check(file)
    except (DragganError, ValueError) as error:
        print(f"{file} was not bundled: {error}", file=sys.stderr)
        return 1
    if not (catalog.HEADS.path.is_file() and file.samefile(catalog.HEADS.path)):
        catalog.HEADS.path.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, catalog.HEADS.path)
    pin(sha256(catalog.HEADS.path), catalog.HEADS.path.stat().st_size)
    return 0


def check(file: Path) -> None:
    """Read the file as the package will.

    Raises:
        CheckpointError: it is not a StyleGAN2 in our format, or its drag defaults are not valid settings.
        ValueError: it is too large, lacks metadata, has another picture size than its entry in the catalog, or
            generates a picture that is not finite.
    """
    meta = own_file.load(file).meta
    missing = [key for key in REQUIRED_META if not meta.get(key)]
    if missing:
        raise ValueError(f"its metadata lack {', '.join(missing)}; expected {', '.join(REQUIRED_META)}")
    if (size := file.stat().st_size) > LARGEST:
        raise ValueError(f"it has {size} bytes; expected at most {LARGEST}")
    generator = StyleGAN2.from_checkpoint(read_checkpoint(file), catalog.HEADS.name, torch.device("cpu"))
    if generator.image_size != catalog.HEADS.image_size:
        raise ValueError(f"it draws {generator.image_size} px; expected {catalog.HEADS.image_size}, as in HEADS")
    config = DragConfig.for_generator(generator)
    generator.block_size(config.block)
    if not generator.image(generator.ws_from_seed(0, 0.7)).isfinite().all():
        raise ValueError("its picture of seed 0 is not finite; expected finite numbers")
    print(f"{file}: {size} bytes, rows {generator.drag_rows}, {dict(generator.drag_defaults)}")


def pin(digest: str, size: int) -> None:
    """Write sha256 and size into the entry `HEADS` of the catalog."""
    path = Path(catalog.__file__)
    before, head, entry = path.read_text("utf-8").partition("HEADS = BundledCheckpoint(")
    entry = re.sub(r'sha256="[0-9a-f]*"', f'sha256="{digest}"', entry, count=1)
    entry = re.sub(r"size=[0-9_]+", f"size={size:_}", entry, count=1)
    path.write_text(before + head + entry, "utf-8")
    print(f"pinned sha256 {digest}, {size} bytes in {path.name}")


if __name__ == "__main__":
    sys.exit(main())
