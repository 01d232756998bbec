"""Stoculus: market data on Kafka topics, typed, in order, once each."""
