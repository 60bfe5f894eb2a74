"""Shapes: made images that show neither a bicycle nor a motorcycle, of kinds that people send.

Each kind is a function of a random generator, so training, measuring and testing see different
images of the same kinds from different seeds.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from deploy.model.code.inference import BASE_SIZE

CANVAS = 128


def draw_shapes(random: Generator) -> Image.Image:
    """Draw one to six ellipses, rectangles, triangles and lines on a plain ground."""
    image = Image.new("RGB", (CANVAS, CANVAS), _random_colour(random))
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(1, 7)):
        _draw_shape(draw, random)
    return image


def draw_noise(random: Generator) -> Image.Image:
    """Draw random pixels, coloured or grey, of one of five grain sizes."""
    side = CANVAS // int(random.choice([1, 2, 4, 8, 16]))
    channels = int(random.choice([1, 3]))
    low, high = sorted(random.integers(0, 257, 2))
    pixels = random.integers(low, high + 1, (side, side, channels)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(pixels, (side, side, 3)).copy())
    return image.resize((CANVAS, CANVAS), _random_resampling(random))


def draw_blank(random: Generator) -> Image.Image:
    """Draw a single colour; now and then black, white or grey."""
    grey = int(random.choice([0, 128, 255]))
    colour = _random_colour(random) if random.random() < 0.7 else (grey, grey, grey)  # noqa: PLR2004 - a share
    return Image.new("RGB", (CANVAS, CANVAS), colour)


def draw_texture(random: Generator) -> Image.Image:
    """Draw stripes, checks, rings or a gradient between two colours, at any angle."""
    across, down = np.meshgrid(np.linspace(-1, 1, CANVAS), np.linspace(-1, 1, CANVAS))
    angle, waves = random.uniform(0, np.pi), random.uniform(1, 14)
    along = across * np.cos(angle) + down * np.sin(angle)
    beside = down * np.cos(angle) - across * np.sin(angle)
    fields = (
        np.sin(along * waves * np.pi),
        np.sign(np.sin(along * waves * np.pi) * np.sin(beside * waves * np.pi)),
        np.sin(np.hypot(along, beside) * waves * np.pi),
        along,
    )
    share = (fields[random.integers(len(fields))][..., None] + 1) / 2
    first, second = np.array(_random_colour(random)), np.array(_random_colour(random))
    return Image.fromarray((share * first + (1 - share) * second).clip(0, 255).astype(np.uint8))


def draw_scribble(random: Generator) -> Image.Image:
    """Draw lines or a handwriting-like scrawl on a plain ground."""
    image = Image.new("RGB", (CANVAS, CANVAS), _random_colour(random))
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(1, 9)):
        steps = random.normal(0, random.uniform(3, 25), (random.integers(2, 30), 2))
        points = (random.uniform(0, CANVAS, 2) + steps.cumsum(0)).ravel().tolist()
        draw.line(
            points, fill=_random_colour(random), width=int(random.integers(1, 7)), joint="curve"
        )
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


KINDS: dict[str, Callable[[Generator], Image.Image]] = {
    "drawn shapes": draw_shapes,
    "noise": draw_noise,
    "blank": draw_blank,
    "texture": draw_texture,
    "scribble": draw_scribble,
}


def draw_kind(kind: str, count: int, seed: int) -> NDArray[np.uint8]:
    """Draw images of one kind, reduced as the endpoint would.

    Returns:
        RGB ``uint8`` of shape (count, 32, 32, 3).
    """
    # Each kind has its own stream, so that more of one kind do not change the others.
    random = np.random.default_rng([seed, list(KINDS).index(kind)])
    small = (
        KINDS[kind](random).resize((BASE_SIZE, BASE_SIZE), Image.Resampling.BICUBIC)
        for _ in range(count)
    )
    return np.stack([np.asarray(image) for image in small])


def _draw_shape(draw: ImageDraw.ImageDraw, random: Generator) -> None:
    centre, reach = random.uniform(0, CANVAS, 2), random.uniform(6, 60, 2)
    if random.random() < 0.5:  # noqa: PLR2004 - half of them circles and squares
        reach[1] = reach[0]
    box = [*(centre - reach), *(centre + reach)]
    filled = random.random() < 0.6  # noqa: PLR2004 - a share
    fill = _random_colour(random) if filled else None
    outline, width = _random_colour(random), int(random.integers(1, 9))
    kind = random.integers(4)
    if kind == 0:
        draw.ellipse(box, fill, outline, width)
    elif kind == 1:
        draw.rectangle(box, fill, outline, width)
    elif kind == 2:  # noqa: PLR2004 - the third of four
        corners = [tuple(centre + random.uniform(-1, 1, 2) * reach) for _ in range(3)]
        draw.polygon(corners, fill, outline, width)
    else:
        draw.line(box, outline, width)


def _random_colour(random: Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue


def _random_resampling(random: Generator) -> Image.Resampling:
    return (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)[random.integers(2)]
