"""All that knows Theta Data: transport, protocol, session, windows, requests, lists, table, client."""
