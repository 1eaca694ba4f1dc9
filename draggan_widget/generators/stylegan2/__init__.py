"""StyleGAN2 (Karras et al. 2020) in plain PyTorch, for weights under the names the official PyTorch code gives them."""
