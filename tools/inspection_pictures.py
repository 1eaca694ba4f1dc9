"""Draw the figures of docs/inspection.md from a drag of the bundled heads: `python tools/inspection_pictures.py`."""

from pathlib import Path

from draggan_widget import DragSession, Edit
from draggan_widget.inspection import plot_features, plot_steps

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"


def main() -> None:
    """Make one drag, and save two figures of it."""
    with DragSession("heads", seed=3) as session:
        session.edit = Edit([(78, 78)], [(62, 79)])
        record, config = session.run(), session.config
        figures = {
            "inspection-features": plot_features(record, config),
            "inspection-steps": plot_steps(record),
        }
        for name, figure in figures.items():
            figure.savefig(FOLDER / f"{name}.png", dpi=160)


if __name__ == "__main__":
    main()
