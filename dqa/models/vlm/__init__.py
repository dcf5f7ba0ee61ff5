"""Vision-language models: one port (:class:`dqa.models.roles.VisionLanguageModel`), several backends."""
