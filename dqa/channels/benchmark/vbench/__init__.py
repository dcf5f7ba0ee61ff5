"""VBench's dimensions with the models VBench uses: its own numbers (parity), or the same models put to better use."""
