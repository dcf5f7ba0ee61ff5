"""A video or image as data: guarded opening, one decode in a child process, sampling by time, the frame server."""
