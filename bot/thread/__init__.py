"""Pure: what people write on GitHub, and what they read there."""
