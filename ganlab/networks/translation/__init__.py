"""Networks that map pictures to pictures, and patch discriminators."""
