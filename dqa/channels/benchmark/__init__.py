"""Does the clip meet standards? VBench's dimensions for one clip, and detectors of what VBench rewards by mistake."""
