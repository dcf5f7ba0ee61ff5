"""What is on the device when: the budget holds, the least recently used goes first, copies come back unread."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.models.plan import plan_profile
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.models.residency.arrange import arrange
from dqa.models.residency.copies import Copies, _places
from dqa.models.residency.resident import Residency
from dqa.models.residency.shelf import Shelf
from tests.models.residency.test_figures import Scripted
from tests.models.test_plan import BUDGETS, STACK, USES, needs_of, profile, sizes_of


class Fake:
    """A component that can move; ``places`` is where it was."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places = ["cuda"]

    def to(self, device: str) -> None:
        self.places.append(device)


class Fixed(Fake):
    """A component whose weights can't be moved, as 8-bit ones."""

    def to(self, device: str) -> None:
        raise RuntimeError("not supported for 8-bit models")


Make = Callable[..., tuple[Residency, list[str]]]


@pytest.fixture
def make() -> Make:
    def made(
        sizes: dict[str, float], budget: float | None, host: float = 0.0, kind: type[Fake] = Fake
    ) -> tuple[Residency, list[str]]:
        read: list[str] = []

        def load(name: str) -> Fake:
            read.append(name)
            return kind(name)

        shelf = Shelf("cuda", host)
        return Residency(load, sizes.__getitem__, meter=Scripted(exact=True), shelf=shelf, budget_gb=budget), read

    return made


def test_the_least_recently_used_goes_first(make: Make) -> None:
    held, read = make({"a": 4, "b": 3, "c": 4}, 10)
    for name in ("a", "b", "a", "c"):
        held.get(name)
    assert held.here == ("a", "c")
    assert read == ["a", "b", "c"], "what is there is not loaded again"


def test_what_a_phase_needs_stays_and_what_it_neither_needs_nor_keeps_goes(make: Make) -> None:
    held, _ = make({"a": 4, "b": 3, "c": 4}, 8)
    held.get("a")
    held.get("b")
    held.enter({"a", "c"}, {"b"})
    assert set(held.here) == {"a", "b"}
    held.get("c")
    assert set(held.here) == {"a", "c"}
    held.enter({"c"})
    assert held.here == ("c",)


def test_without_a_budget_nothing_goes(make: Make) -> None:
    held, _ = make(dict.fromkeys("abc", 100.0), None)
    for name in "abc":
        held.get(name)
    assert held.here == ("a", "b", "c")


def test_an_evicted_model_comes_back_from_host_memory_the_same_object(make: Make) -> None:
    held, read = make({"a": 4, "b": 4}, 5, host=8)
    first = held.get("a")
    held.get("b")
    assert first.places == ["cuda", "cpu"]
    assert held.get("a") is first
    assert first.places == ["cuda", "cpu", "cuda"]
    assert read == ["a", "b"]


def test_host_memory_has_a_budget_too_and_the_oldest_copy_is_given_up(make: Make) -> None:
    held, read = make({"a": 4, "b": 4, "c": 4}, 5, host=7)
    for name in "abcab":
        held.get(name)
    assert read == ["a", "b", "c", "a", "b"]
    none, again = make({"a": 4, "b": 4}, 5, host=0)
    for name in "aba":
        none.get(name)
    assert again == ["a", "b", "a"]


def test_a_model_that_can_not_move_is_loaded_again(make: Make) -> None:
    held, read = make({"a": 4, "b": 4}, 5, host=100, kind=Fixed)
    for name in "aba":
        held.get(name)
    assert read == ["a", "b", "a"]


def test_on_a_cpu_nothing_is_kept_beside() -> None:
    shelf = Shelf("cpu", 100)
    assert not shelf.put("a", Fake("a"), 1)
    assert shelf.take("a") is None


def test_the_room_for_copies_is_half_of_what_is_free_unless_said() -> None:
    shelf = Shelf("cuda", None, lambda: 10.0)
    assert not shelf.put("a", Fake("a"), 5.1)
    assert shelf.put("b", Fake("b"), 4.9)
    assert shelf.held == ("b",)


def test_what_is_kept_of_a_clip_goes_with_the_model(make: Make) -> None:
    forgot: list[str] = []

    class Keeping(Fake):
        def forget(self) -> None:
            forgot.append(self.name)

    held, _ = make({"a": 4, "b": 4}, 5, kind=Keeping)
    held.get("a")
    held.get("b")
    assert forgot == ["a"]


@settings(deadline=None)
@given(sizes=sizes_of, uses=needs_of, budget=st.sampled_from(BUDGETS), clips=st.integers(1, 3))
def test_going_through_a_plan_never_holds_more_than_the_budget(
    sizes: dict[str, float], uses: dict[Any, list[str]], budget: float, clips: int
) -> None:
    made = plan_profile(profile(sizes, {name: tuple(some) for name, some in uses.items()}), "auto", budget)
    if not made.fits:
        return
    read: list[str] = []
    held = Residency(
        lambda name: read.append(name) or Fake(name), sizes.__getitem__,
        meter=Scripted(exact=True), shelf=Shelf("cuda", 0.0), budget_gb=budget,
    )  # fmt: skip
    for _round in range(3):
        read.clear()
        for phase in made.evaluation:
            held.enter(phase.components, phase.kept)
            for _ in range(clips):
                for name in phase.channels:
                    for component in uses[name]:
                        assert held.get(component).name == component
                        assert sum(sizes[one] for one in held.here) <= budget + 1e-9
    used = {component for some in uses.values() for component in some}
    assert len(read) <= made.loads
    assert set(read) <= used


def test_every_phase_s_needs_are_what_the_planner_said() -> None:
    assert arrange([], {}, lambda _: True) == []
    made = plan_profile(profile(STACK, USES), "auto", 8)
    assert all(set(phase.load) <= set(phase.components) for phase in made.evaluation)


def test_copies_bring_back_the_same_weights_and_keep_tied_ones_tied() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    model[1].weight = model[0].weight
    model.requires_grad_(False).train(False)
    given_in = torch.randn(3, 4)
    before = model(given_in)
    copies = Copies(model)
    copies.to("cpu")
    first = model[0].weight.data_ptr()
    copies.to("cpu")
    assert model[0].weight.data_ptr() == first, "the host's copy is made once"
    copies.to("cpu:0")
    assert model[1].weight is model[0].weight
    assert torch.equal(model(given_in), before)


def test_copies_lie_in_few_buffers_that_are_powers_of_two() -> None:
    """As PyTorch's pinned memory is: a tensor of 1.1 MB with a block of its own takes 2 MB."""
    model = torch.nn.ModuleList([torch.nn.Linear(530, 530) for _ in range(40)]).requires_grad_(False)
    model.append(torch.nn.Conv2d(64, 3, 3).to(memory_format=torch.channels_last))
    before = {name: (tensor.clone(), tensor.stride()) for name, tensor in model.state_dict().items()}
    copies = Copies(model)
    size = sum(tensor.numel() * tensor.element_size() for tensor, _ in before.values())
    promised = copies.host_gb * 2**30
    copies.to("cpu")
    made = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in model.parameters()}
    assert len(made) <= 8
    assert all(size.bit_count() == 1 for size in made.values())
    assert copies.host_gb * 2**30 == promised == sum(made.values())
    assert promised <= size * 1.1
    for name, tensor in model.state_dict().items():
        assert (tensor.stride(), torch.equal(tensor, before[name][0])) == (before[name][1], True)


@given(st.lists(st.integers(0, 40), max_size=30))
def test_buffers_hold_every_tensor_beside_the_others(grains: list[int]) -> None:
    sizes = sorted((256 * grain**3 for grain in grains), reverse=True)
    buffers, places = _places(sizes)
    taken = sorted((number, start, start + size) for (number, start), size in zip(places, sizes, strict=True) if size)
    assert all(end <= buffers[number] for number, _, end in taken)
    assert all(one[0] < other[0] or one[2] <= other[1] for one, other in pairwise(taken))


def test_a_copy_counts_while_its_model_is_back_on_the_device_and_is_given_up_last() -> None:
    class Real(Fake):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.copies = Copies(torch.nn.Linear(512, 512, bias=False).requires_grad_(False))

        def to(self, device: str) -> None:
            if device == "cpu":
                self.copies.to(device)

    one, other, third = Real("one"), Real("other"), Real("third")
    shelf = Shelf("cuda", 2 / 1024)
    assert shelf.put("one", one, 100.0), "what the copy takes counts, not what the device had"
    assert shelf.take("one") is one
    assert one.copies._masters
    assert shelf.put("other", other, 100.0)
    assert one.copies._masters
    assert shelf.put("third", third, 100.0)
    assert shelf.held == ("third",), "what nobody uses goes first"
    assert shelf.take("third") is third
    assert shelf.put("other", other, 100.0)
    assert not one.copies._masters
    shelf.drop("third")
    assert "third" not in shelf._back


def test_pinned_blocks_of_a_copy_that_is_given_up_go_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "empty_host_cache", lambda: given.append(1))
    shelf = Shelf("cuda", 6.0)
    for name in "ab":
        assert shelf.put(name, Fake(name), 4.0)
    assert (shelf.held, given) == (("b",), [1])
    shelf.drop("b")
    assert given == [1, 1]


def test_a_pool_forgets_and_reloads_and_still_knows_who_spoke(tmp_path: Path) -> None:
    pool = ModelPool(load_profile("embedded"), tmp_path, budget_gb=1.2)
    first = pool.get("efficientnet-lite0")
    assert pool.peek("efficientnet-lite0") is first
    pool.enter(("minilm",))
    assert pool.resident == ()
    assert pool.identity("efficientnet-lite0").licence == "Apache-2.0"
    assert pool.get("efficientnet-lite0") is not first
    pool.release()
    assert pool.resident == ()
