"""What a StyleGAN2 is: its config, the names and shapes of its tensors, and the config inferred from them."""
