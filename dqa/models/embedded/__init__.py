"""The models that come inside Python packages: no hub, no GPU."""
