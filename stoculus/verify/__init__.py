"""`stoculus verify`: an independent check of a finished backtest, that trusts nothing but the topics and the vendor."""
