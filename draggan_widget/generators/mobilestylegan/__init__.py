"""MobileStyleGAN (Belousov 2021): a light generator distilled from StyleGAN2."""
