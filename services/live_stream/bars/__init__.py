"""Bars from trades, by the vendor's rules."""
