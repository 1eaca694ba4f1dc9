"""MobileStyleGAN's two OpenVINO graphs, read as tensors."""
