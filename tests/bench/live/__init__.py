"""The live part of the bench: latency and rate of the service, and its CPU time against the naive way's."""
