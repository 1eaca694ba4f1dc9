"""How good the bundled generator is, measured: `python -m training.judge`."""
