"""The command ``dqa``: a module per command. stdout is data, stderr is progress and messages."""
