"""Pictures drawn by us, for there is no photo in this repository."""

import io
import random

from PIL import Image, ImageDraw, ImageFilter

SIZE = 640


def bicycle(seed: int = 1) -> bytes:
    """A bicycle against a wall, drawn; a JPEG as a phone would send it."""
    rng = random.Random(seed)  # noqa: S311 - a picture, no secret
    picture = Image.new("RGB", (SIZE, SIZE), (206, 210, 205))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 470, SIZE, SIZE), fill=(122, 122, 118))
    for row in range(0, 470, 40):
        draw.line((0, row, SIZE, row), fill=(190, 192, 188), width=2)
    color = rng.choice([(150, 30, 35), (25, 70, 140), (30, 100, 60), (40, 40, 45)])
    _frame(draw, color)
    return _as_photo(picture)


def scone() -> bytes:
    """A scone on a plate: neither a bicycle nor a motorcycle."""
    picture = Image.new("RGB", (SIZE, SIZE), (173, 142, 112))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 250, 580, 560), fill=(240, 240, 236), outline=(205, 205, 200), width=6)
    draw.rounded_rectangle((170, 230, 470, 450), 60, fill=(214, 164, 96))
    draw.ellipse((160, 170, 480, 330), fill=(201, 140, 70))
    draw.ellipse((200, 185, 420, 265), fill=(218, 166, 98))
    for x, y in ((230, 260), (330, 215), (400, 280), (300, 300), (240, 380), (390, 390)):
        draw.ellipse((x, y, x + 26, y + 18), fill=(84, 48, 40))
    return _as_photo(picture)


def _as_photo(picture: Image.Image) -> bytes:
    soft = picture.filter(ImageFilter.GaussianBlur(1.2))
    noise = Image.effect_noise((SIZE, SIZE), 24).convert("RGB")
    out = io.BytesIO()
    Image.blend(soft, noise, 0.06).save(out, "JPEG", quality=90)
    return out.getvalue()


def _frame(draw: ImageDraw.ImageDraw, color: tuple[int, int, int]) -> None:
    rear, front, hub, saddle, head = (170, 430), (470, 430), (300, 430), (250, 260), (420, 250)
    black = (28, 28, 30)
    for x, y in (rear, front):
        draw.ellipse((x - 112, y - 112, x + 112, y + 112), outline=black, width=12)
        draw.ellipse((x - 100, y - 100, x + 100, y + 100), outline=(150, 150, 155), width=3)
        for dx, dy in ((100, 0), (87, 50), (50, 87), (0, 100), (-50, 87), (-87, 50)):
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=(165, 165, 170), width=2)
    for start, end in ((rear, hub), (hub, saddle), (saddle, rear), (saddle, head), (hub, head)):
        draw.line((*start, *end), fill=color, width=13)
    draw.line((*head, *front), fill=color, width=13)
    draw.line((250, 260, 240, 225), fill=black, width=9)
    draw.rounded_rectangle((200, 208, 285, 228), 10, fill=black)
    draw.line((420, 250, 412, 205), fill=black, width=9)
    draw.arc((395, 180, 470, 250), 200, 380, fill=black, width=11)
    draw.ellipse((278, 408, 322, 452), outline=black, width=9)
    draw.line((300, 430, 330, 470), fill=black, width=8)
