"""A chat in two parts: what all questions on a clip share (instruction, frames), and the question with what follows it.

The template is rendered once around a mark in the question's place and cut there. A question is tokenised by itself,
with the names of control tokens in it as plain text: it can neither close its turn nor pose as a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image as Pictures

from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.models.vlm.safety import SYSTEM

_MARK = "QUESTION-STANDS-HERE"


class Chat:
    """Builds a model's inputs.

    Args:
        processor: a transformers processor with tokenizer, image processor and chat template.
        max_side: images are scaled down to this many pixels on the longer side.
    """

    def __init__(self, processor: Any, max_side: int = 768) -> None:
        self.tokenizer: Any = processor.tokenizer
        self._processor = processor
        self._max_side = max_side
        self._cuts: dict[int, tuple[str, str]] = {}

    def prefix(self, images: Sequence[Image]) -> dict[str, Any]:
        """The model's inputs up to the question: token ids 1 x n, pixels and what goes with them, on the CPU."""
        text, _ = self._cut(len(images))
        bos = self.tokenizer.bos_token
        options: dict[str, Any] = {"add_special_tokens": not (bos and text.startswith(bos)), "return_tensors": "pt"}
        if images:
            options["images"] = [self._picture(image) for image in images]
            if hasattr(self._processor.image_processor, "crop_to_patches"):
                options["crop_to_patches"] = False  # a frame is one tile; tiles are for reading documents
        return dict(self._processor(text=[text], **options))

    def suffix(self, question: str, images: int) -> list[int]:
        """Token ids of the question and of all that follows it, up to where the answer starts."""
        _, tail = self._cut(images)
        asked = self.tokenizer(question, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [*asked, *self.tokenizer(tail, add_special_tokens=False)["input_ids"]]

    def _cut(self, images: int) -> tuple[str, str]:
        if images not in self._cuts:
            self._cuts[images] = self._rendered(images)
        return self._cuts[images]

    def _rendered(self, images: int) -> tuple[str, str]:
        content = [*({"type": "image"} for _ in range(images)), {"type": "text", "text": _MARK}]
        messages = [
            {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
            {"role": "user", "content": content},
        ]
        # Templates that know no thinking ignore the switch.
        text: str = self._processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        before, mark, after = text.partition(_MARK)
        if not mark or _MARK in after:
            raise ModelUnavailable(
                "the model's chat template does not put the question in one place", fix="use another model"
            )
        return before, after

    def _picture(self, image: Image) -> Pictures.Image:
        picture = Pictures.fromarray(image)
        picture.thumbnail((self._max_side, self._max_side), Pictures.Resampling.LANCZOS)
        return picture
