"""What is done with the rows of a live topic, and about its gaps."""
