"""Reading feature maps at image positions."""
