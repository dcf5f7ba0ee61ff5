"""What a user says they like and dislike: words, looked for in a clip's prompt and in how it looks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Style(BaseModel):
    """The user_style block as words.

    Attributes:
        likes: wanted words and phrases, lower case.
        dislikes: unwanted ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()


NO_STYLE = Style()
