"""The port to an agent host, the Letta adapter, and the deployment that runs on it."""
