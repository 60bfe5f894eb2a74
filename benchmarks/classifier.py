"""The classifier on one thread: ``python -m benchmarks.classifier``.

Prints the time of the network for one image as a ratio to its decoding, measured in the same run,
and to a floor: reading the bytes of the model once, which no network of its size can do without.
"""

import io

import numpy as np
from PIL import Image

from deploy.model.artifacts import ARTIFACTS, MODEL_FILE
from deploy.model.code import inference
from deploy.model.latency import measure_latency, median_ms


def photo(width: int, height: int) -> bytes:
    """Return a JPEG of this size with as much detail as a photo has."""
    pixels = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    body = io.BytesIO()
    Image.fromarray(pixels).resize((width, height)).save(body, "JPEG", quality=85)
    return body.getvalue()


def main() -> None:
    """Measure and print."""
    weights = np.frombuffer((ARTIFACTS / MODEL_FILE).read_bytes(), np.uint8)
    words = weights[: len(weights) // 8 * 8].view(np.int64)
    floor = median_ms(words.sum, 300)
    found = measure_latency(ARTIFACTS)
    large = photo(4000, 3000)
    camera = median_ms(lambda: inference.input_fn(large, "image/jpeg"), 10)
    rows = (
        ("floor: read the model's bytes once", floor),
        ("decode and prepare a 32 px PNG", found.decode_ms),
        ("network, one image, one thread", found.model_ms),
        (f"decode a 12 megapixel JPEG of {len(large) / 1e6:.1f} MB", camera),
        ("load the model", found.load_ms),
    )
    print(f"{'':48}{'ms':>9}{'x floor':>9}{'x decode':>9}")
    for name, value in rows:
        print(f"{name:48}{value:9.3f}{value / floor:9.1f}{value / found.decode_ms:9.1f}")


if __name__ == "__main__":
    main()
