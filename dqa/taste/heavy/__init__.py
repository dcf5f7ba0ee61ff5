"""The language-model tier of taste: DPO of a LoRA adapter on a user's choices, with TRL and PEFT.

Only :mod:`~dqa.taste.heavy.train` (the training process) and :mod:`~dqa.taste.heavy.score` load torch.
"""
