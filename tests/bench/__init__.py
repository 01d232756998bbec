"""What Stoculus claims of its speed and memory, measured side by side: `make bench`."""
