"""The nodes, in the form that every release of ComfyUI loads. Defaults here and in Python are the same ones:
clients of the API that leave an optional input out get Python's."""

from __future__ import annotations

from typing import Any, ClassVar

from . import host
from .asking import Asking, as_text, axes_of, evaluation_id, save_report, score
from .errors import DQAProblem

_Inputs = dict[str, dict[str, Any]]  # {"required": {name: (type, options)}, "optional": ...}
_CATEGORY = "DQA"
_MOST_SEED = 0xFFFFFFFFFFFFFFFF
_ACCEPT_AT = 0.6
"""Where grade B begins, and with it acceptance."""


def _text(tooltip: str, *, lines: bool = False) -> tuple[str, dict[str, Any]]:
    return ("STRING", {"default": "", "multiline": lines, "tooltip": tooltip})


class DQAPrompt:
    """Prompt, negative prompt and seed in one place; dqa comfy slots finds it before anything else."""

    CATEGORY = _CATEGORY
    DESCRIPTION = "Prompt, negative prompt and seed for the whole graph. DQA writes here."
    FUNCTION = "run"
    RETURN_TYPES = ("STRING", "STRING", "INT")
    RETURN_NAMES = ("prompt", "negative", "seed")

    @classmethod
    def INPUT_TYPES(cls) -> _Inputs:
        return {
            "required": {
                "prompt": _text("What to show.", lines=True),
                "negative": _text("What not to show.", lines=True),
                "seed": ("INT", {"default": 0, "min": 0, "max": _MOST_SEED, "tooltip": "Of the noise."}),
            }
        }

    def run(self, prompt: str = "", negative: str = "", seed: int = 0) -> tuple[str, str, int]:
        return prompt, negative, seed


class DQAEvaluateVideo:
    """A clip against the prompt it was made from."""

    CATEGORY = _CATEGORY
    DESCRIPTION = "Grades a video, frames or a saved file against its prompt. score is NaN where none could be had."
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES = ("FLOAT", "STRING", "BOOLEAN", "STRING", "STRING", "STRING", "STRING")
    RETURN_NAMES = ("score", "grade", "accept", "report_json", "action", "reasoning", "evaluation_id")

    @classmethod
    def INPUT_TYPES(cls) -> _Inputs:
        return {
            "required": {"prompt": _text("The text the clip was made from.", lines=True)},
            "optional": {
                "video": ("VIDEO", {"tooltip": "Either this, or images, or file."}),
                "images": ("IMAGE", {"tooltip": "Frames in order; one alone is judged as an image."}),
                "fps": ("FLOAT", {"default": 24.0, "min": 0.1, "max": 1000.0, "step": 0.01, "tooltip": "Of images."}),
                "file": _text("A file in ComfyUI's output folder, e.g. video/clip_00001_.mp4."),
                "accept_at": (
                    "FLOAT",
                    {
                        "default": _ACCEPT_AT,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "accept is true if DQA accepts the clip and its score is at least this.",
                    },
                ),
                "user": _text("Whose taste counts; empty for the service's default."),
                "save_report": ("BOOLEAN", {"default": False, "tooltip": "Save the record under output/dqa too."}),
            },
        }

    @classmethod
    def IS_CHANGED(cls, file: str = "", **_others: Any) -> str:
        """A file that was overwritten is judged again; the rest ComfyUI sees itself."""
        try:
            found = host.under_output(file).stat() if file else None
        except (DQAProblem, OSError):
            return ""
        return "" if found is None else f"{found.st_size}:{found.st_mtime_ns}"

    def run(
        self,
        prompt: str = "",
        video: Any = None,
        images: Any = None,
        fps: float = 24.0,
        file: str = "",
        accept_at: float = _ACCEPT_AT,
        user: str = "",
        save_report: bool = False,
    ) -> dict[str, Any]:
        asking = Asking()
        media = _send_clip(asking, video, images, fps, file)
        record = asking.evaluate(media, prompt, user)
        final, text = score(record["final"]), as_text(record)
        accept = record["action"] == "accept" and final >= accept_at
        grade = str(record["grade"] or "none")
        outputs = (final, grade, accept, text, str(record["action"]), str(record["reasoning"]), str(record["id"]))
        return _shown(text, outputs, record if save_report else None)


class DQADescribeReference:
    """A reference in words: what later comparisons are anchored on."""

    CATEGORY = _CATEGORY
    DESCRIPTION = "Puts a reference picture into words, axis by axis; comparisons are anchored on these words."
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "STRING", "STRING")
    RETURN_NAMES = ("description", "canonical_reference_json", "report_json")

    @classmethod
    def INPUT_TYPES(cls) -> _Inputs:
        return {
            "required": {"reference": ("IMAGE", {"tooltip": "The first picture of the batch counts."})},
            "optional": {
                "axes": _text("Axes or groups, with commas; or an axes file's TOML; empty for all.", lines=True),
                "run_tag": _text("Names the report; a new one asks the judge again."),
            },
        }

    def run(self, reference: Any = None, axes: str = "", run_tag: str = "") -> dict[str, Any]:
        asking = Asking()
        report = asking.describe(_send_still(asking, reference, "reference"), **axes_of(axes), **_tagged(run_tag))
        text = as_text(report)
        return _shown(text, (str(report["description"]), _canonical(report), text))


class DQACompare:
    """What was generated against a reference, axis by axis."""

    CATEGORY = _CATEGORY
    DESCRIPTION = (
        "Match, partial or mismatch an axis, against a reference picture or its description. Where nothing could be "
        "judged, and in mode describe, overall_score is NaN and mismatch_count -1."
    )
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES = ("FLOAT", "INT", "STRING", "STRING")
    RETURN_NAMES = ("overall_score", "mismatch_count", "report_json", "canonical_reference_json")
    MODES: ClassVar[list[str]] = ["compare", "describe"]

    @classmethod
    def INPUT_TYPES(cls) -> _Inputs:
        return {
            "required": {},
            "optional": {
                "generated": ("IMAGE", {"tooltip": "What to judge; several frames are judged as a video."}),
                "reference": ("IMAGE", {"tooltip": "The picture to come near to; or say it in words below."}),
                "canonical_reference_json": _text("What DQA Describe Reference gave, or a description.", lines=True),
                "mode": (cls.MODES, {"default": "compare", "tooltip": "describe looks at the reference only."}),
                "axes": _text("Axes or groups, with commas; or an axes file's TOML; empty for all.", lines=True),
                "run_tag": _text("Names the report; a new one asks the judge again."),
                "fps": ("FLOAT", {"default": 24.0, "min": 0.1, "max": 1000.0, "step": 0.01, "tooltip": "Of frames."}),
                "prompt": _text("What it was made with, kept in the report.", lines=True),
            },
        }

    def run(
        self,
        generated: Any = None,
        reference: Any = None,
        canonical_reference_json: str = "",
        mode: str = "compare",
        axes: str = "",
        run_tag: str = "",
        fps: float = 24.0,
        prompt: str = "",
    ) -> dict[str, Any]:
        asking = Asking()
        common = {**axes_of(axes), **_tagged(run_tag)}
        if mode == "describe":
            report = asking.describe(_send_still(asking, reference, "reference"), **common)
        else:
            anchor = _anchor(asking, reference, canonical_reference_json)
            media = _send_frames(asking, generated, fps)
            report = asking.compare(media, **anchor, **common, **({"prompt": prompt} if prompt else {}))
        text, overall = as_text(report), report.get("overall_score")
        count = -1 if overall is None else int(report["mismatch_count"])
        return _shown(text, (score(overall), count, text, _canonical(report)))


class DQAChoose:
    """Two graded clips, for a person to choose between, some time."""

    CATEGORY = _CATEGORY
    DESCRIPTION = "Gives the address where a person chooses between two graded clips; waits for nobody."
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("address",)

    @classmethod
    def INPUT_TYPES(cls) -> _Inputs:
        return {
            "required": {
                "a": _text("evaluation_id or report_json of a DQA Evaluate Video node."),
                "b": _text("The same of another one."),
            },
            "optional": {"user": _text("Whose choice it is; empty for the service's default.")},
        }

    def run(self, a: str = "", b: str = "", user: str = "") -> dict[str, Any]:
        pair = Asking().pair(evaluation_id(a), evaluation_id(b), user)
        return _shown(as_text(pair), (str(pair["address"]),))


NODE_CLASS_MAPPINGS = {
    "DQAPrompt": DQAPrompt,
    "DQAEvaluateVideo": DQAEvaluateVideo,
    "DQADescribeReference": DQADescribeReference,
    "DQACompare": DQACompare,
    "DQAChoose": DQAChoose,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DQAPrompt": "DQA Prompt",
    "DQAEvaluateVideo": "DQA Evaluate Video",
    "DQADescribeReference": "DQA Describe Reference",
    "DQACompare": "DQA Compare",
    "DQAChoose": "DQA Choose",
}


def _shown(text: str, outputs: tuple[Any, ...], saved: dict[str, Any] | None = None) -> dict[str, Any]:
    """Outputs for the graph, and the report for clients of the API (history has it as ``outputs[node].text``)."""
    files = {} if saved is None else {"files": [save_report(saved)]}
    return {"ui": {"text": [text], **files}, "result": outputs}


def _send_clip(asking: Asking, video: Any, images: Any, fps: float, file: str) -> str:
    given = [video is not None, images is not None, bool(file.strip())]
    if sum(given) != 1:
        raise DQAProblem("DQA Evaluate Video needs one clip; connect video or images, or name a file, one of them.")
    if video is not None:
        return asking.send_video(video)
    if images is not None:
        return asking.send_images(images, fps)
    return asking.send_file(host.under_output(file))


def _send_still(asking: Asking, images: Any, which: str) -> str:
    if images is None:
        raise DQAProblem(f"the {which} is missing; connect an IMAGE output.")
    return asking.send_picture(images)


def _send_frames(asking: Asking, images: Any, fps: float) -> str:
    if images is None:
        raise DQAProblem("what was generated is missing; connect an IMAGE output.")
    return asking.send_images(images, fps)


def _anchor(asking: Asking, reference: Any, words: str) -> dict[str, str]:
    if (reference is None) == (not words.strip()):
        raise DQAProblem("DQA Compare needs one reference; connect a picture or its description, one of them.")
    return {"ref_desc": words} if reference is None else {"reference": asking.send_picture(reference)}


def _canonical(report: dict[str, Any]) -> str:
    """The reference as JSON that compare reads back: from a description, or from the side of a comparison."""
    if report["mode"] == "describe":
        return as_text({"description": report["description"], "axes": report["axes"]})
    values = {name: one["ref"] for name, one in report["axes"].items() if one["ref"] is not None}
    prose = str(report["canonical_reference"]).split("\n", 1)[0]
    return as_text({"description": prose, "axes": values})


def _tagged(run_tag: str) -> dict[str, str]:
    return {"run_tag": run_tag.strip()} if run_tag.strip() else {}
