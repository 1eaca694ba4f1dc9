"""The drag: an iterative solve that moves a latent until the handle points have reached their targets."""
