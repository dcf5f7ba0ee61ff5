"""ProxyCLIP (Lan 2024): words to heat maps, with CLIP's values mixed by a vision model's own sense of what belongs
together. Written from the paper's formula on transformers' models; nothing is trained.
"""
