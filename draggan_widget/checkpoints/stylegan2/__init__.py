"""What a StyleGAN2 is (`config`), whether tensors are those of one, and its config inferred from tensors."""
