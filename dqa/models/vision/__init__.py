"""Vision models that look at frames: image towers, optical flow, an aesthetic head. In torch and transformers alone."""
