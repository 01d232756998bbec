"""The service theta-terminal: one supervised terminal for the whole suite."""
