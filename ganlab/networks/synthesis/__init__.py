"""Networks that make samples from latents, and the discriminators of whole samples."""
