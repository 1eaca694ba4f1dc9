import re
from pathlib import Path

import pytest
from PIL import Image

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "inspection.md"


@pytest.mark.slow
def test_the_guide_s_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        exec(example, names)  # noqa: S102  (our own page)
    assert (tmp_path / "drag.pdf").stat().st_size > 10_000
    assert names["found"].chosen == names["record"][10].handles[0]
    assert names["plot_steps"](names["record"])._repr_png_().startswith(b"\x89PNG")


def test_the_guide_s_pictures_are_there_and_small():
    pictures = re.findall(r"\]\((images/[\w-]+\.png)\)", GUIDE.read_text())
    assert pictures
    for picture in pictures:
        with Image.open(GUIDE.parent / picture) as image:
            assert image.width == 528  # 3.3 inches
        assert (GUIDE.parent / picture).stat().st_size < 200_000
