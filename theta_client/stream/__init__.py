"""The terminal's WebSocket: what is subscribed, the session that keeps it so, and its frames as columns."""
