"""Fitting: a network trained on labelled images and on images that show none of the classes."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from deploy.model.augment import augment, enlarge, normalise
from deploy.model.data import Dataset
from deploy.model.network import BLOCKS, build_network, class_probabilities

_BATCH = 48
_EVALUATION_BATCH = 100
_WEIGHT_DECAY = 0.02
_BACKBONE_RATE, _HEAD_RATE = 5e-4, 3e-3
_AVERAGE_DECAY = 0.98


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is chosen by validation.

    Attributes:
        input_size: Pixels a side of the network's input.
        blocks: Blocks of EfficientNet-Lite0 that are kept.
        epochs: Passes over the labelled images.
        neither_batch: Images that show neither class in each batch, beside 48 labelled ones.
        neither_weight: Weight of their loss; that of the labelled ones is 1.
    """

    input_size: int = 80
    blocks: int = BLOCKS
    epochs: int = 14
    neither_batch: int = 32
    neither_weight: float = 0.5


def fit_network(
    data: Dataset,
    neither: NDArray[np.uint8],
    recipe: Recipe,
    seed: int,
    report: Callable[[str], None],
) -> nn.Sequential:
    """Train a network; the weights are an exponential moving average over the steps.

    Args:
        data: Labelled images to learn from.
        neither: Images that show neither class, ``uint8`` of shape (n, 32, 32, 3).
        recipe: How to train.
        seed: Of all chance in it.
        report: Called with one line an epoch.
    """
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    # Channels last and bfloat16 take a third of the time on a processor, measured.
    network = build_network(len(data.classes), recipe.blocks).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    steps = recipe.epochs * math.ceil(len(data.labels) / _BATCH)
    optimiser, schedule = _make_optimiser(network, steps)
    labelled, outside, labels = (
        _to_tensor(data.images),
        _to_tensor(neither),
        torch.tensor(data.labels),
    )
    for epoch in range(recipe.epochs):
        total = 0.0
        _train_mode(network)
        for chosen in _shuffle_batches(len(labels), random):
            others = torch.randint(len(outside), (recipe.neither_batch,), generator=random)
            images = torch.cat([labelled[chosen], outside[others]]).float()
            pixels = normalise(augment(images, recipe.input_size, random))
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(pixels.contiguous(memory_format=torch.channels_last))
            loss = _weigh_loss(logits.float(), labels[chosen], recipe.neither_weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            _update_average(average, network)
            total += float(loss.detach())
        report(f"epoch {epoch + 1} of {recipe.epochs}: loss {total * recipe.epochs / steps:.4f}")
    return average


def predict_logits(network: nn.Module, images: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Return logits of ``uint8`` images (n, 32, 32, 3), shape (n, classes + 1)."""
    network.eval()
    with torch.no_grad():
        return torch.cat(
            [
                network(normalise(enlarge(part.float(), size)))
                for part in _to_tensor(images).split(_EVALUATION_BATCH)
            ]
        )


def fit_temperature(logits: torch.Tensor, labels: NDArray[np.int64]) -> float:
    """Return the temperature that makes the validation labels likeliest, from 0.2 to 5.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    truth = torch.tensor(labels)
    # By trial: the likelihood has one peak in T, and 400 steps are finer than it is known.
    candidates = torch.logspace(math.log10(0.2), math.log10(5), 400).tolist()
    losses = [
        float(functional.nll_loss(class_probabilities(logits, t).log(), truth)) for t in candidates
    ]
    return float(candidates[losses.index(min(losses))])


def _to_tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.tensor(images).permute(0, 3, 1, 2).contiguous()


def _shuffle_batches(count: int, random: torch.Generator) -> Iterator[torch.Tensor]:
    yield from torch.randperm(count, generator=random).split(_BATCH)


def _weigh_loss(logits: torch.Tensor, labels: torch.Tensor, neither_weight: float) -> torch.Tensor:
    inside, outside = logits[: len(labels)], logits[len(labels) :]
    # Images of neither class have the last class, which no labelled image has.
    nothing = torch.full((len(outside),), logits.shape[1] - 1)
    return functional.cross_entropy(inside, labels) + neither_weight * functional.cross_entropy(
        outside, nothing
    )


def _make_optimiser(
    network: nn.Sequential, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    groups = [
        {"params": network[0].parameters(), "lr": _BACKBONE_RATE},
        {"params": network[-1].parameters(), "lr": _HEAD_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [_BACKBONE_RATE, _HEAD_RATE], total_steps=steps, pct_start=0.2
    )
    return optimiser, schedule


def _train_mode(network: nn.Sequential) -> None:
    network.train()
    # With a thousand images the statistics of ImageNet are better than their own.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _update_average(average: nn.Module, network: nn.Module) -> None:
    with torch.no_grad():
        for kept, new in zip(average.parameters(), network.parameters(), strict=True):
            # An average of the last fifty steps or so is steadier than the last one (Polyak and
            # Juditsky, "Acceleration of stochastic approximation by averaging", 1992).
            kept.lerp_(new, 1 - _AVERAGE_DECAY)
