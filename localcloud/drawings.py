"""Drawings: pictures of bicycles, motorcycles and other things, each one different.

They are drawn, not photographed, so that traffic can be made without anybody's pictures. What the
model makes of them is its own affair: it was trained on photographs.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

SIZE: Final = 160
"""Pixels a side of a finished drawing."""

_SCALE: Final = 3  # drawn larger, then reduced: smooth lines
_CANVAS: Final = SIZE * _SCALE

Point = tuple[float, float]
Color = tuple[int, int, int]

_PAINTS: Final[Sequence[Color]] = (
    (190, 30, 35),
    (30, 70, 170),
    (20, 110, 60),
    (225, 130, 20),
    (35, 35, 40),
    (120, 40, 130),
    (215, 190, 40),
    (100, 160, 210),
)
_RUBBER: Final[Color] = (28, 28, 30)
_STEEL: Final[Color] = (150, 155, 160)


@dataclass(frozen=True, slots=True)
class CameraChange:
    """How the camera has changed: what drift does to a picture.

    Attributes:
        brightness: 1 leaves it, 0 makes it black.
        blur: Radius in pixels of the finished drawing.
    """

    brightness: float = 1.0
    blur: float = 0.0


def draw_subject(kind: str, random: Random) -> Image.Image:
    """Draw a ``bicycle``, a ``motorcycle`` or ``other`` thing, ``SIZE`` pixels a side, RGB."""
    scene = _draw_background(random)
    subject = Image.new("RGBA", scene.size, (0, 0, 0, 0))
    _SUBJECTS[kind](ImageDraw.Draw(subject), random)
    subject = subject.rotate(random.uniform(-6, 6), Image.Resampling.BICUBIC)
    if random.choice((True, False)):
        subject = subject.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scene.paste(subject, (0, 0), subject)
    return _photograph(scene, random)


def change_picture(picture: Image.Image, change: CameraChange) -> Image.Image:
    """Return the picture as the changed camera would have taken it."""
    if change.blur > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(change.blur))
    return ImageEnhance.Brightness(picture).enhance(change.brightness)


def as_png(picture: Image.Image) -> bytes:
    """Return the picture's bytes."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def as_jpeg(picture: Image.Image) -> bytes:
    """Return the picture's bytes, a tenth of those of ``as_png``."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def _photograph(scene: Image.Image, random: Random) -> Image.Image:
    small = scene.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    amount = random.uniform(0.1, 0.3)
    # Made of the given random numbers: Pillow's own noise takes no seed.
    noise = Image.frombytes("L", small.size, random.randbytes(SIZE * SIZE))
    grain = noise.point([round(128 + (value - 128) * amount) for value in range(256)])
    small = ImageChops.add(small, grain.convert("RGB"), scale=1.0, offset=-128)
    small = small.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 0.9)))
    return ImageEnhance.Brightness(small).enhance(random.uniform(0.85, 1.1))


def _draw_background(random: Random) -> Image.Image:
    style = random.choice(("studio", "studio", "street", "grass", "wall"))
    top, bottom = {
        "studio": ((250, 250, 250), (236, 236, 234)),
        "street": ((190, 205, 220), (120, 118, 116)),
        "grass": ((180, 205, 225), (90, 130, 70)),
        "wall": ((170, 150, 130), (140, 135, 130)),
    }[style]
    shade = random.uniform(0.85, 1.05)
    image = Image.linear_gradient("L").resize((_CANVAS, _CANVAS))
    if style != "studio":
        horizon = random.uniform(0.45, 0.7)
        image = image.point(lambda v: 255 if v / 255 > horizon else 0)
        image = image.filter(ImageFilter.GaussianBlur(_CANVAS * 0.02))
    light = Image.new("RGB", image.size, _shade_color(top, shade))
    dark = Image.new("RGB", image.size, _shade_color(bottom, shade))
    return Image.composite(dark, light, image)


def _shade_color(color: Color, factor: float) -> Color:
    red, green, blue = (max(0, min(255, round(part * factor))) for part in color)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in a picture whose sides are 1."""

    draw: ImageDraw.ImageDraw

    def draw_line(self, points: Sequence[Point], color: Color, width: float) -> None:
        scaled = [(x * _CANVAS, y * _CANVAS) for x, y in points]
        self.draw.line(scaled, fill=color, width=max(1, round(width * _CANVAS)), joint="curve")
        for point in points:
            self.draw_disc(point, width / 2, color)

    def draw_disc(self, center: Point, radius: float, color: Color) -> None:
        self.draw.ellipse(self._bounding_box(center, radius), fill=color)

    def draw_ring(self, center: Point, radius: float, color: Color, width: float) -> None:
        box, thick = self._bounding_box(center, radius), max(1, round(width * _CANVAS))
        self.draw.ellipse(box, outline=color, width=thick)

    def draw_shape(self, points: Sequence[Point], color: Color) -> None:
        self.draw.polygon([(x * _CANVAS, y * _CANVAS) for x, y in points], fill=color)

    def draw_shadow(self, left: float, right: float, ground: float) -> None:
        box = [
            left * _CANVAS,
            (ground - 0.012) * _CANVAS,
            right * _CANVAS,
            (ground + 0.02) * _CANVAS,
        ]
        self.draw.ellipse(box, fill=(60, 60, 60, 110))

    def _bounding_box(self, center: Point, radius: float) -> tuple[float, float, float, float]:
        x, y = center
        return (
            (x - radius) * _CANVAS,
            (y - radius) * _CANVAS,
            (x + radius) * _CANVAS,
            (y + radius) * _CANVAS,
        )


def _draw_bicycle(canvas: ImageDraw.ImageDraw, random: Random) -> None:
    pen, paint = _Pen(canvas), random.choice(_PAINTS)
    radius = random.uniform(0.17, 0.21)
    ground = random.uniform(0.78, 0.86)
    middle = random.uniform(0.47, 0.53)
    reach = random.uniform(0.25, 0.29)
    rear, front = (middle - reach, ground - radius), (middle + reach, ground - radius)
    tube = random.uniform(0.014, 0.022)
    pen.draw_shadow(rear[0] - radius, front[0] + radius, ground)
    for hub in (rear, front):
        for spoke in range(10):
            angle = math.pi * spoke / 10
            across = radius * math.cos(angle), radius * math.sin(angle)
            ends = [
                (hub[0] - across[0], hub[1] - across[1]),
                (hub[0] + across[0], hub[1] + across[1]),
            ]
            pen.draw_line(ends, _STEEL, 0.003)
        pen.draw_ring(hub, radius, _RUBBER, random.uniform(0.014, 0.022))
        pen.draw_disc(hub, 0.013, _STEEL)
    pedal = (middle - 0.03, ground - radius + 0.01)
    seat = (middle - 0.10, ground - radius * 2.1)
    head = (front[0] - 0.08, ground - radius * 2.15)
    for tubes in ([rear, seat], [rear, pedal], [pedal, seat], [pedal, head], [seat, head]):
        pen.draw_line(tubes, paint, tube)
    pen.draw_line([head, front], paint, tube)
    pen.draw_line([head, (head[0] - 0.015, head[1] - 0.07)], _STEEL, tube * 0.8)
    bar = (head[0] - 0.015, head[1] - 0.07)
    pen.draw_line(
        [(bar[0] - 0.03, bar[1] - 0.01), bar, (bar[0] + 0.06, bar[1])], _RUBBER, tube * 0.9
    )
    top = (seat[0] - 0.012, seat[1] - 0.05)
    pen.draw_line([seat, top], _STEEL, tube * 0.8)
    pen.draw_line([(top[0] - 0.045, top[1]), (top[0] + 0.04, top[1] + 0.004)], _RUBBER, 0.026)
    pen.draw_ring(pedal, 0.032, _STEEL, 0.010)
    pen.draw_line(
        [(pedal[0] - 0.03, pedal[1] + 0.05), (pedal[0] + 0.03, pedal[1] - 0.05)], _RUBBER, 0.01
    )


def _draw_motorcycle(canvas: ImageDraw.ImageDraw, random: Random) -> None:
    pen, paint = _Pen(canvas), random.choice(_PAINTS)
    radius = random.uniform(0.145, 0.175)
    ground = random.uniform(0.80, 0.87)
    middle = random.uniform(0.47, 0.53)
    reach = random.uniform(0.27, 0.31)
    rear, front = (middle - reach, ground - radius), (middle + reach, ground - radius)
    pen.draw_shadow(rear[0] - radius, front[0] + radius, ground)
    for hub in (rear, front):
        pen.draw_ring(hub, radius, _RUBBER, random.uniform(0.045, 0.06))
        pen.draw_ring(hub, radius * 0.62, _STEEL, 0.014)
        for spoke in range(5):
            angle = 2 * math.pi * spoke / 5 + random.random()
            rim = (hub[0] + radius * 0.6 * math.cos(angle), hub[1] + radius * 0.6 * math.sin(angle))
            pen.draw_line([hub, rim], _STEEL, 0.012)
        pen.draw_disc(hub, 0.04, (90, 92, 95))
    _draw_body(pen, random, paint, rear, front)


def _draw_body(pen: _Pen, random: Random, paint: Color, rear: Point, front: Point) -> None:
    x, y = (rear[0] + front[0]) / 2, rear[1]
    dark, chrome = (45, 46, 50), (185, 188, 192)
    head = (x + 0.17, y - random.uniform(0.24, 0.28))
    pen.draw_line([head, front], chrome, 0.028)
    pen.draw_line([(x - 0.08, y + 0.02), rear], dark, 0.03)
    pen.draw_shape(
        [(x - 0.12, y - 0.1), (x + 0.12, y - 0.1), (x + 0.14, y + 0.06), (x - 0.1, y + 0.08)], dark
    )
    for fin in range(4):
        level = y - 0.08 + fin * 0.028
        pen.draw_line([(x - 0.04, level), (x + 0.09, level - 0.008)], chrome, 0.009)
    pen.draw_line([(x + 0.1, y + 0.05), (x - 0.05, y + 0.09), (x - 0.34, y + 0.06)], chrome, 0.03)
    tank = [(x - 0.06, y - 0.13), (x - 0.02, y - 0.23), (x + 0.1, y - 0.25), (x + 0.17, y - 0.17)]
    pen.draw_shape([*tank, (x + 0.12, y - 0.1)], paint)
    tail = [(x - 0.08, y - 0.17), (x - 0.3, y - 0.21), (x - 0.34, y - 0.17), (x - 0.2, y - 0.09)]
    pen.draw_shape([*tail, (x - 0.06, y - 0.1)], paint)
    pen.draw_line(
        [(x - 0.06, y - 0.19), (x - 0.17, y - 0.2), (x - 0.27, y - 0.235)], _RUBBER, 0.035
    )
    if random.choice((True, False)):
        fairing = [
            (x + 0.12, y - 0.3),
            (x + 0.24, y - 0.22),
            (x + 0.2, y - 0.08),
            (x + 0.1, y - 0.02),
        ]
        pen.draw_shape(fairing, paint)
    pen.draw_disc((head[0] + 0.035, head[1] + 0.03), 0.035, (230, 230, 215))
    pen.draw_line(
        [(head[0] - 0.05, head[1] - 0.05), (head[0] + 0.01, head[1] - 0.035), head], dark, 0.02
    )
    guard = [(front[0] - 0.1, front[1] - 0.13), (front[0], front[1] - 0.17)]
    pen.draw_line([*guard, (front[0] + 0.1, front[1] - 0.12)], paint, 0.022)


def _draw_other(canvas: ImageDraw.ImageDraw, random: Random) -> None:
    """Draw what the workflow was not made for: a scone on a plate, a tree or a house."""
    random.choice((_draw_scone, _draw_tree, _draw_house))(_Pen(canvas), random)


def _draw_scone(pen: _Pen, random: Random) -> None:
    crust = random.choice(((196, 140, 70), (214, 165, 95), (176, 120, 60)))
    pen.draw_shadow(0.15, 0.85, 0.76)
    pen.draw_shape([(0.14, 0.72), (0.86, 0.72), (0.74, 0.79), (0.26, 0.79)], (225, 228, 232))
    pen.draw_shape([(0.28, 0.72), (0.72, 0.72), (0.68, 0.48), (0.32, 0.48)], crust)
    for bump in range(5):
        pen.draw_disc((0.33 + bump * 0.085, 0.48), random.uniform(0.05, 0.08), crust)
    for _ in range(9):
        spot = random.uniform(0.32, 0.68), random.uniform(0.46, 0.68)
        pen.draw_disc(spot, 0.014, (80, 40, 30))


def _draw_tree(pen: _Pen, random: Random) -> None:
    pen.draw_line([(0.5, 0.85), (0.5, 0.5)], (95, 70, 50), 0.07)
    green = random.choice(((50, 110, 50), (80, 130, 60), (150, 110, 40)))
    for _ in range(18):
        leaf = random.uniform(0.3, 0.7), random.uniform(0.18, 0.52)
        pen.draw_disc(
            leaf, random.uniform(0.06, 0.12), _shade_color(green, random.uniform(0.8, 1.2))
        )


def _draw_house(pen: _Pen, random: Random) -> None:
    wall = random.choice(((205, 190, 165), (190, 110, 90), (225, 225, 220)))
    pen.draw_shape([(0.25, 0.85), (0.75, 0.85), (0.75, 0.5), (0.25, 0.5)], wall)
    pen.draw_shape([(0.2, 0.5), (0.8, 0.5), (0.5, 0.25)], (120, 55, 45))
    for x in (0.32, 0.58):
        pen.draw_shape([(x, 0.66), (x + 0.1, 0.66), (x + 0.1, 0.56), (x, 0.56)], (110, 140, 165))
    pen.draw_shape([(0.45, 0.85), (0.55, 0.85), (0.55, 0.68), (0.45, 0.68)], (80, 60, 50))


_SUBJECTS: Final[dict[str, Callable[[ImageDraw.ImageDraw, Random], None]]] = {
    "bicycle": _draw_bicycle,
    "motorcycle": _draw_motorcycle,
    "other": _draw_other,
}
KINDS: Final = tuple(_SUBJECTS)
"""What can be drawn."""
