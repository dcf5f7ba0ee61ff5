"""Models: which there are (profiles), what they need (components, plan), and who holds them (pool)."""
