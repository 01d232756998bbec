"""All that knows Theta Data: transport, protocol, session, windows, table, client."""
