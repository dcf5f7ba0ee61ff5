"""A training from beginning to end: the choices, the device, the process, the gate, publishing, the light tier told.

Everything that can die is held by something that notices: the row by its owner's name, the device by the kernel, the
process by its stdin, what it wrote by a private folder that is swept.
"""
