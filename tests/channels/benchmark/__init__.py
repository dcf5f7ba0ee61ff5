"""The benchmark channel's backends."""
