"""Slots of real workflow templates, and of graphs that are harder than they look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.comfy.slots import Slots, find_slots
from dqa.comfy.workflow import load_workflow, parse_workflow
from dqa.errors import InputError, UsageError

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"

TEMPLATES: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "tpl_default": (["6.text"], ["7.text"], ["3.seed"], ["9"]),
    "tpl_ltxv_text_to_video": (["6.text"], ["7.text"], ["72.noise_seed"], ["79"]),
    "tpl_text_to_video_wan": (["6.text"], ["7.text"], ["3.seed"], ["50"]),
    "tpl_video_wan2_2_14B_t2v": (["89.text"], ["72.text"], ["81.noise_seed"], ["80"]),
    "tpl_image_flux2": (["68:6.text"], [], ["68:25.noise_seed"], ["9"]),
    "tiny_ksampler_t2i_api": (["6.text"], ["7.text"], ["3.seed"], ["9"]),
    "tiny_ksampler_t2v_api": (["6.text"], ["7.text"], ["3.seed"], ["9"]),
    "fake_t2i_minimal_api": (["1.value"], [], ["3.value"], ["9"]),
    "dqa_nodes_loop_api": (["1.prompt"], ["1.negative"], ["1.seed"], ["4"]),
}


def slots(graph: dict[str, Any], **bindings: str) -> Slots:
    return find_slots(parse_workflow(graph), bindings)


def node(kind: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(name: str) -> None:
    found = find_slots(load_workflow(WORKFLOWS / f"{name}.json")).as_json()
    assert (found["positive"], found["negative"], found["seed"], found["outputs"]) == TEMPLATES[name]
    assert found["problems"] == []


def test_two_passes_with_two_encoders_take_the_same_text_and_the_first_seed_alone() -> None:
    found = find_slots(load_workflow(WORKFLOWS / "tpl_sdxl_simple_example.json"))
    assert found.positive == ("6.text", "15.text")
    assert found.negative == ("7.text", "16.text")
    assert found.seed == ("10.noise_seed",)  # the refiner adds no noise
    assert any("6.text, 15.text" in problem for problem in found.problems)


def test_what_reaches_no_output_is_said() -> None:
    found = find_slots(load_workflow(WORKFLOWS / "fake_t2v_vanilla_api.json"))
    assert (found.positive, found.seed) == (("1.value",), ("3.value",))
    assert found.problems == ("2.value (negative) reaches no output: setting it changes nothing",)


def test_a_workflow_without_a_prompt_says_so() -> None:
    found = find_slots(load_workflow(WORKFLOWS / "load_scale_save_api.json"))
    assert found.positive == found.negative == found.seed == ()
    assert found.outputs == ("9",)
    assert any("@dqa:positive" in problem for problem in found.problems)


def sampled(**sampler: Any) -> dict[str, Any]:
    """A text-to-image graph of one sampler with two encoders; ``sampler`` overrides its inputs."""
    inputs = {"model": ["m", 0], "positive": ["p", 0], "negative": ["n", 0], "seed": 1, **sampler}
    return {
        "p": node("CLIPTextEncode", text="a fox", clip=["m", 1]),
        "n": node("CLIPTextEncode", text="blurry", clip=["m", 1]),
        "k": node("KSampler", **inputs),
        "s": node("SaveImage", images=["k", 0], filename_prefix="x"),
        "m": node("CheckpointLoaderSimple", ckpt_name="x"),
    }


def test_subgraph_ids_and_a_guider_are_followed() -> None:
    graph = {
        "92:3": node("CLIPTextEncode", text="a fox", clip=["m", 0]),
        "92:4": node("CLIPTextEncode", text="blurry", clip=["m", 0]),
        "92:22": node("LTXVConditioning", positive=["92:3", 0], negative=["92:4", 0], frame_rate=25),
        "92:47": node("CFGGuider", model=["m", 0], positive=["92:22", 0], negative=["92:22", 1], cfg=3),
        "92:11": node("RandomNoise", noise_seed=4),
        "92:67": node("RandomNoise", noise_seed=5),
        "92:41": node("SamplerCustomAdvanced", noise=["92:11", 0], guider=["92:47", 0]),
        "92:42": node("SamplerCustomAdvanced", noise=["92:67", 0], guider=["92:47", 0], latent_image=["92:41", 0]),
        "75": node("SaveVideo", video=["92:42", 0], filename_prefix="x"),
        "m": node("CheckpointLoaderSimple", ckpt_name="x"),
    }
    found = slots(graph)
    assert (found.positive, found.negative) == (("92:3.text",), ("92:4.text",))
    assert found.seed == ("92:11.noise_seed", "92:67.noise_seed")
    assert any("goes to the first" in problem for problem in found.problems)


def test_a_text_from_another_node_is_followed_and_a_zeroed_negative_is_none() -> None:
    graph = sampled(negative=["z", 0])
    graph["p"] = node("CLIPTextEncode", text=["t", 0], clip=["m", 1])
    graph["t"] = node("PrimitiveString", "Negative thoughts", value="a fox")
    graph["z"] = node("ConditioningZeroOut", conditioning=["p", 0])
    del graph["n"]
    found = slots(graph)
    assert found.positive == ("t.value",)
    assert found.negative == ()


def test_flux_style_encoders_have_two_texts() -> None:
    graph = sampled()
    graph["p"] = node("CLIPTextEncodeFlux", clip_l="a fox", t5xxl="a red fox", guidance=3, clip=["m", 1])
    assert slots(graph).positive == ("p.clip_l", "p.t5xxl")


def test_one_text_for_both_roles_is_a_problem() -> None:
    found = slots(sampled(negative=["p", 0]))
    assert found.positive == found.negative == ("p.text",)
    assert any("the negative can't be set" in problem for problem in found.problems)


def test_a_text_put_together_from_several_is_reported() -> None:
    graph = sampled()
    graph["p"] = node("CLIPTextEncode", text=["c", 0], clip=["m", 1])
    graph["c"] = node("StringConcatenate", string=["a", 0], text=["b", 0])
    graph |= {name: node("PrimitiveString", value=name) for name in "ab"}
    found = slots(graph)
    assert found.positive == ()
    assert any("node c" in problem for problem in found.problems)


def test_a_linked_seed_is_followed_through_a_reroute() -> None:
    graph = sampled(seed=["r", 0]) | {"r": node("Reroute", input=["i", 0]), "i": node("PrimitiveInt", value=7)}
    assert slots(graph).seed == ("i.value",)


def test_dead_branches_do_not_count() -> None:
    graph = sampled()
    graph |= {"dead": node("KSampler", model=["m", 0], positive=["n", 0], negative=["p", 0], seed=9)}
    assert slots(graph).positive == ("p.text",)
    assert slots(graph).seed == ("k.seed",)


def test_a_marker_beats_the_links_and_a_binding_beats_both() -> None:
    graph = sampled()
    graph["x"] = node("PrimitiveString", "brief @dqa:positive", value="a fox")
    assert slots(graph).positive == ("x.value",)
    assert slots(graph, positive="n.text").positive == ("n.text",)
    assert slots(graph).negative == ("n.text",)


@pytest.mark.parametrize("binding", [{"positive": "p.nothing"}, {"seed": "99.seed"}, {"positiv": "p.text"}])
def test_a_binding_to_nothing_is_an_error(binding: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        slots(sampled(), **binding)


def test_a_title_never_takes_a_slot_that_has_a_role() -> None:
    graph = {
        "1": node("PrimitiveString", "@dqa:positive my negative space study", value="x"),
        "9": node("SaveImage", images=["1", 0], filename_prefix="x"),
    }
    assert slots(graph).negative == ()


@pytest.mark.parametrize(
    "content",
    [
        '{"nodes": [], "links": [], "version": 0.4}',
        '{"a": 1}',
        "[]",
        "{}",
        "not json",
        '{"1": {"class_type": "X", "inputs": 3}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_workflow_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"Export \(API\)"):
        load_workflow(path)


def test_the_editors_format_is_named() -> None:
    with pytest.raises(InputError, match="editor"):
        parse_workflow({"nodes": [{"id": 1, "type": "KSampler"}], "links": []})


def test_the_body_of_a_request_to_the_api_is_read_too() -> None:
    assert slots({"prompt": sampled(), "client_id": "x"}).positive == ("p.text",)


_LINKS = st.tuples(st.sampled_from("abcdefg"), st.integers(0, 2)).map(list)
_INPUTS = st.dictionaries(
    st.sampled_from(["positive", "negative", "conditioning", "text", "model", "clip", "seed", "value", "images"]),
    st.one_of(_LINKS, st.text(max_size=5), st.integers(0, 9), st.none(), st.lists(st.integers(), max_size=3)),
)
_NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(
            ["KSampler", "CLIPTextEncode", "CFGGuider", "SaveImage", "Reroute", "RandomNoise"]
        ),
        "inputs": _INPUTS,
    }
)


@given(st.dictionaries(st.sampled_from("abcdefg"), _NODES, min_size=1))
def test_any_graph_with_loops_and_dangling_links_gives_slots_that_exist(graph: dict[str, Any]) -> None:
    found = slots(json.loads(json.dumps(graph)))
    for slot in (*found.positive, *found.negative, *found.seed):
        name, _, key = slot.partition(".")
        assert not isinstance(graph[name]["inputs"][key], list)
    assert set(found.outputs) <= graph.keys()
