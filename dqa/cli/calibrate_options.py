"""The options of ``dqa calibrate``, each with one wording for all its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dqa.cli.calibrating_editor import EditorName

Mode = Literal["describe", "compare"]
ModeName = Annotated[
    Mode | None,
    typer.Option("--mode", help="describe or compare, for scripts that say it so.", show_default=False),
]
Reference = Annotated[
    Path | None,
    typer.Option("--reference", metavar="MEDIA", help="The picture to come near to.", show_default=False),
]
RefDesc = Annotated[
    str | None,
    typer.Option("--ref-desc", metavar="TEXT", help="The reference in words instead.", show_default=False),
]
RefDescFile = Annotated[
    Path | None,
    typer.Option(
        "--ref-desc-file", metavar="FILE", help="Likewise from a file, or what describe printed.", show_default=False
    ),
]
Generated = Annotated[
    Path | None,
    typer.Option("--generated", metavar="MEDIA", help="The picture or video to judge.", show_default=False),
]
WorkflowFile = Annotated[
    Path | None,
    typer.Option(
        "--workflow", metavar="FILE", help="Generate it with this ComfyUI workflow instead.", show_default=False
    ),
]
Prompt = Annotated[
    str | None, typer.Option("--prompt", metavar="TEXT", help="The prompt it is made with.", show_default=False)
]
Negative = Annotated[
    str | None, typer.Option("--negative", metavar="TEXT", help="What not to show.", show_default=False)
]
NoiseSeed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of the noise.", show_default=False)]
RunTag = Annotated[
    str | None,
    typer.Option("--run-tag", metavar="TAG", help="Names the report; default a new one.", show_default=False),
]
AnalysisDir = Annotated[
    Path | None,
    typer.Option(
        "--analysis-dir", metavar="DIR", help="Where calib_TAG.json, .md and latest.json go.", show_default=False
    ),
]
AxesFile = Annotated[
    Path | None,
    typer.Option("--axes", metavar="FILE", help="Changes to the default axes, as TOML.", show_default=False),
]
ComfyUrl = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="ComfyUI's address. [DQA_COMFY_URL]", show_default=False)
]
RunWorkflow = Annotated[Path, typer.Option("--workflow", metavar="FILE", help="A ComfyUI workflow in API format.")]
FirstPrompt = Annotated[
    str | None,
    typer.Option(
        "--prompt", metavar="TEXT", help="The prompt to begin with; default the description.", show_default=False
    ),
]
SearchSeed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Seed while searching; default the workflow's own.", show_default=False),
]
Editor = Annotated[EditorName, typer.Option("--editor", help="Who corrects the prompt.")]
EditorUrl = Annotated[
    str | None,
    typer.Option("--editor-url", metavar="URL", help="--editor llm: its endpoint. [DQA_VLM_URL]", show_default=False),
]
EditorModel = Annotated[
    str | None,
    typer.Option("--editor-model", metavar="NAME", help="--editor llm: its model. [DQA_VLM_MODEL]", show_default=False),
]
Target = Annotated[float, typer.Option("--target", metavar="SCORE", min=0, max=1, help="Overall score to reach.")]
Patience = Annotated[
    int, typer.Option("--patience", metavar="N", min=1, help="Corrections without gain before it stops.")
]
MaxIters = Annotated[int, typer.Option("--max-iters", metavar="N", min=0, max=1000, help="Most corrections.")]
Pairs = Annotated[bool, typer.Option("--pairs", help="Correct two independent mismatches at once.")]
VarySeeds = Annotated[
    int,
    typer.Option("--vary-seeds", metavar="N", min=0, max=100, help="Further seeds, once the target is reached."),
]
