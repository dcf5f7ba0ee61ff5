"""The parts of RAFT (Teed and Deng, ECCV 2020), named as torchvision's ``raft_large``; the weights give the widths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEVELS, RADIUS = 4, 4
"""Scales of the correlation volume, and how far around a point it is read: those of RAFT's large model."""

Norm = Callable[[int], nn.Module]


def activated(inlet: int, outlet: int, kernel: int, stride: int = 1, norm: Norm | None = None) -> nn.Sequential:
    """A convolution that keeps the size (but for the stride), its norm if it has one, and ReLU."""
    parts: list[nn.Module] = [nn.Conv2d(inlet, outlet, kernel, stride, kernel // 2)]
    parts += [norm(outlet)] if norm else []
    return nn.Sequential(*parts, nn.ReLU())


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inlet: int, outlet: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.convnormrelu1 = activated(inlet, outlet, 3, stride, norm)
        self.convnormrelu2 = activated(outlet, outlet, 3, 1, norm)
        shortcut = nn.Sequential(nn.Conv2d(inlet, outlet, 1, stride), norm(outlet))
        self.downsample = shortcut if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """n x C x H x W -> n x C' x H/s x W/s."""
        return torch.relu(self.downsample(x) + self.convnormrelu2(self.convnormrelu1(x)))


class Encoder(nn.Module):
    """Features at an eighth of the size."""

    def __init__(self, widths: tuple[int, ...], norm: Norm) -> None:
        super().__init__()
        first, one, two, three, last = widths
        self.convnormrelu = activated(3, first, 7, 2, norm)
        self.layer1 = nn.Sequential(ResidualBlock(first, one, 1, norm), ResidualBlock(one, one, 1, norm))
        self.layer2 = nn.Sequential(ResidualBlock(one, two, 2, norm), ResidualBlock(two, two, 1, norm))
        self.layer3 = nn.Sequential(ResidualBlock(two, three, 2, norm), ResidualBlock(three, three, 1, norm))
        self.conv = nn.Conv2d(three, last, 1)

    def forward(self, x: Tensor) -> Tensor:
        """n x 3 x H x W -> n x C x H/8 x W/8."""
        return self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(x)))))


class MotionEncoder(nn.Module):
    """What the flow so far and the likenesses around its ends say together."""

    def __init__(self, corr: tuple[int, int], flow: tuple[int, int], out: int) -> None:
        super().__init__()
        self.convcorr1 = activated(LEVELS * (2 * RADIUS + 1) ** 2, corr[0], 1)
        self.convcorr2 = activated(corr[0], corr[1], 3)
        self.convflow1 = activated(2, flow[0], 7)
        self.convflow2 = activated(flow[0], flow[1], 3)
        self.conv = activated(corr[1] + flow[1], out - 2, 3)

    def forward(self, flow: Tensor, correlated: Tensor) -> Tensor:
        """n x out x h x w, whose last two channels are the flow itself."""
        both = [self.convcorr2(self.convcorr1(correlated)), self.convflow2(self.convflow1(flow))]
        return torch.cat([self.conv(torch.cat(both, dim=1)), flow], dim=1)


class ConvGRU(nn.Module):
    """A gated recurrent unit of convolutions along one axis."""

    def __init__(self, inlet: int, hidden: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.convz, self.convr, self.convq = (
            nn.Conv2d(hidden + inlet, hidden, kernel, padding=padding) for _ in range(3)
        )

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """The next hidden state."""
        both = torch.cat([hidden, x], dim=1)
        update, reset = torch.sigmoid(self.convz(both)), torch.sigmoid(self.convr(both))
        new = torch.tanh(self.convq(torch.cat([reset * hidden, x], dim=1)))
        return (1 - update) * hidden + update * new


class RecurrentBlock(nn.Module):
    """One unit along rows, one along columns."""

    def __init__(self, inlet: int, hidden: int) -> None:
        super().__init__()
        self.convgru1 = ConvGRU(inlet, hidden, (1, 5))
        self.convgru2 = ConvGRU(inlet, hidden, (5, 1))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """The next hidden state."""
        return self.convgru2(self.convgru1(hidden, x), x)


class FlowHead(nn.Module):
    """How the flow should change."""

    def __init__(self, inlet: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inlet, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """n x 2 x h x w."""
        return self.conv2(torch.relu(self.conv1(x)))


class UpdateBlock(nn.Module):
    """One step: motion, memory, change."""

    def __init__(self, motion: MotionEncoder, recurrent: RecurrentBlock, head: FlowHead) -> None:
        super().__init__()
        self.motion_encoder, self.recurrent_block, self.flow_head = motion, recurrent, head

    def forward(self, hidden: Tensor, context: Tensor, correlated: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden state and the change of the flow."""
        hidden = self.recurrent_block(hidden, torch.cat([context, self.motion_encoder(flow, correlated)], dim=1))
        return hidden, self.flow_head(hidden)


class MaskPredictor(nn.Module):
    """Which of the nine neighbours each of the 64 pixels in a cell takes its flow from."""

    def __init__(self, inlet: int, hidden: int) -> None:
        super().__init__()
        self.convrelu = activated(inlet, hidden, 3)
        self.conv = nn.Conv2d(hidden, 8 * 8 * 9, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """n x 576 x h x w; the quarter is the authors', who damp this branch's gradients."""
        return 0.25 * self.conv(self.convrelu(hidden))


@dataclass(frozen=True, slots=True)
class Widths:
    """How many channels each part has; the defaults are those of the published large model."""

    feature: tuple[int, ...] = (64, 64, 96, 128, 256)
    context: tuple[int, ...] = (64, 64, 96, 128, 256)
    corr: tuple[int, int] = (256, 192)
    flow: tuple[int, int] = (128, 64)
    motion: int = 128
    hidden: int = 128
    head: int = 256
    mask: int = 256


class Raft(nn.Module):
    """The network as one state dict; :mod:`dqa.models.vision.raft` runs it."""

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        of = widths or Widths()
        self.feature_encoder = Encoder(of.feature, nn.InstanceNorm2d)
        self.context_encoder = Encoder(of.context, nn.BatchNorm2d)
        inlet = of.context[-1] - of.hidden + of.motion
        self.update_block = UpdateBlock(
            MotionEncoder(of.corr, of.flow, of.motion), RecurrentBlock(inlet, of.hidden), FlowHead(of.hidden, of.head)
        )
        self.mask_predictor = MaskPredictor(of.hidden, of.mask)
        self.hidden = of.hidden


def widths_of(tensors: dict[str, Tensor]) -> Widths:
    """The widths that these weights (under torchvision's names) have.

    Raises:
        KeyError: they are not RAFT's.
    """

    def out(name: str) -> int:
        return int(tensors[f"{name}.weight"].shape[0])

    def encoder(name: str) -> tuple[int, ...]:
        layers = (out(f"{name}.layer{i}.0.convnormrelu1.0") for i in (1, 2, 3))
        return (out(f"{name}.convnormrelu.0"), *layers, out(f"{name}.conv"))

    motion = "update_block.motion_encoder"
    return Widths(
        feature=encoder("feature_encoder"),
        context=encoder("context_encoder"),
        corr=(out(f"{motion}.convcorr1.0"), out(f"{motion}.convcorr2.0")),
        flow=(out(f"{motion}.convflow1.0"), out(f"{motion}.convflow2.0")),
        motion=out(f"{motion}.conv.0") + 2,
        hidden=out("update_block.recurrent_block.convgru1.convz"),
        head=out("update_block.flow_head.conv1"),
        mask=out("mask_predictor.convrelu.0"),
    )
