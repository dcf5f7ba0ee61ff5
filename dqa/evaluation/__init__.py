"""The parts of an evaluation: what is asked, who is asked in which phase, what is done when memory runs out."""
