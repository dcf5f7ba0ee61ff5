"""Dimensions that a vision-language model is asked for, after VBench-2.0: they join the ones that are measured."""
