"""`stoculus doctor`: whether everything that the suite needs is there, and what to do where it is not."""
