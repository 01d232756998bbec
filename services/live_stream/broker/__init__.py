"""The way to the broker, and what it has acknowledged."""
