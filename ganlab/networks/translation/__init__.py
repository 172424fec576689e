"""Networks that turn pictures into pictures, and discriminators of patches."""
