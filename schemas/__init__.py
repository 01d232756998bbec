"""The contract: one .avsc a record type, and RELEASED.json with every released version."""
