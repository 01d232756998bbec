"""History of what a live topic lacks."""
