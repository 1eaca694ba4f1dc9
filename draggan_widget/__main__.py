"""`python -m draggan_widget`: the same as the command `draggan-widget`."""

import sys

from draggan_widget.cli import main

if __name__ == "__main__":
    sys.exit(main())
