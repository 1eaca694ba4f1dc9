"""What this installation, this machine and this notebook are, and what to do about each: `doctor()`."""
