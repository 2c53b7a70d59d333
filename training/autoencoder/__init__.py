"""The temporal autoencoder: videos to latents and back, and its training."""
