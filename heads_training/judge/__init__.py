"""How good the bundled generator is, measured: `python -m heads_training.judge`."""
