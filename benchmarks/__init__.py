"""What the figures in docs/measurements.md come from: one command each."""
