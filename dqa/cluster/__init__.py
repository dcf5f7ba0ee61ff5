"""Clips graded on many machines: evaluators on a Ray cluster, one of ours for the moment or the operator's own."""
