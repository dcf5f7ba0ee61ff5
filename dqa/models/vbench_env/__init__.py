"""The official ``vbench`` package, in an environment of its own and asked over a pipe: it can't share one with us."""
