"""From a brief to a clip that is good enough: write, generate, verify, and write again with the verdict's advice."""
