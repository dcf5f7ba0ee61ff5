"""The five channels: each answers one question about a clip, with evidence, or abstains."""
