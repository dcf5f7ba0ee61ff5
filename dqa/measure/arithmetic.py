"""The same bits every time, whatever the machine is doing."""

from __future__ import annotations

import cv2


def settle_arithmetic() -> None:
    """OpenCV on one thread, and without the Intel kernels, whose rounding depends on where in memory an image lies.

    For the whole process: OpenCV knows no narrower scope. One thread a process is also what is quickest on small
    machines; who wants more runs several processes.
    """
    cv2.setNumThreads(1)
    cv2.ipp.setUseIPP(False)
