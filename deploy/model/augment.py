"""Augmentation: small random changes to a batch of images that leave what they show the same."""

import torch
from torch.nn import functional

from deploy.model.code.inference import BASE_SIZE
from deploy.model.network import MEAN, SCALE


def enlarge(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resample to ``size`` as ``predict_fn`` does; float pixels of shape (n, 3, size, size)."""
    return functional.interpolate(
        images, size=(size, size), mode="bicubic", align_corners=False, antialias=True
    ).clamp(0, 255)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Return pixels 0 to 255 as the pretrained weights expect them."""
    return (images - MEAN) / SCALE


def augment(images: torch.Tensor, size: int, random: torch.Generator) -> torch.Tensor:
    """Blur, turn, mirror, stretch, shift, relight and sometimes grey a batch.

    Args:
        images: Float pixels 0 to 255, shape (n, 3, 32, 32).
        size: Pixels a side of the result.
        random: Where all chance comes from.

    Returns:
        Float pixels 0 to 255, shape (n, 3, size, size).
    """
    return _change_light(_move_images(enlarge(_make_coarser(images, random), size), random), random)


def _draw_uniform(count: int, low: float, high: float, random: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=random)


def _make_coarser(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    if torch.rand(1, generator=random) > 0.3:  # noqa: PLR2004 - three batches in ten
        return images
    side = int(torch.randint(18, BASE_SIZE, (1,), generator=random))
    return functional.interpolate(
        images, size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )


def _move_images(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    count = len(images)
    scale, angle = (
        _draw_uniform(count, 0.65, 1.3, random),
        _draw_uniform(count, -0.25, 0.25, random),
    )
    stretch = _draw_uniform(count, 0.8, 1.25, random)
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - half
    # One affine matrix for each image: turn, mirror, stretch and shift in a single resampling.
    moves = torch.zeros(count, 2, 3)
    moves[:, 0, 0] = angle.cos() * scale * mirror * stretch
    moves[:, 0, 1] = -angle.sin() * scale
    moves[:, 1, 0] = angle.sin() * scale * mirror
    moves[:, 1, 1] = angle.cos() * scale
    moves[:, :, 2] = _draw_uniform(2 * count, -0.15, 0.15, random).view(count, 2)
    grid = functional.affine_grid(moves, list(images.shape), align_corners=False)
    # Reflected at the border: black corners would tell the network how an image was turned.
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _change_light(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    count = len(images)
    contrast = _draw_uniform(count, 0.7, 1.3, random).view(-1, 1, 1, 1)
    brightness = _draw_uniform(count, -40, 40, random).view(-1, 1, 1, 1)
    lit = (images - MEAN) * contrast + MEAN + brightness
    grey = (torch.rand(count, generator=random) < 0.15).float().view(-1, 1, 1, 1)  # noqa: PLR2004 - a share
    return (lit * (1 - grey) + lit.mean(1, keepdim=True) * grey).clamp(0, 255)
