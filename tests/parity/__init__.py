"""Our numbers against other code that computes the same."""
