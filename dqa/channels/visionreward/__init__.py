"""Why is the clip good or bad? Four axes, each with a reason and an advice."""
