"""The reading part of the bench: topics to columns, merges, memory."""
