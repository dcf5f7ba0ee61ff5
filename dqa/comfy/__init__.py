"""ComfyUI: workflows read and driven from outside, by HTTP."""
