"""Latency: how long loading, preparing and classifying take on one thread."""

import io
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.model.code import inference
from deploy.model.manifest import Latency

_LOADS, _CALLS = 9, 300


def measure_latency(folder: Path) -> Latency:
    """Time the model in ``folder``, which holds ``model.onnx`` and ``manifest.json``."""
    body = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(body, "PNG")
    model = inference.model_fn(str(folder))
    image = inference.decode(body.getvalue())
    ready = {"image": inference.prepare(image, model.size, model.mean, model.scale)}

    def decode() -> None:
        small = inference.input_fn(body.getvalue(), "image/png")
        inference.prepare(small, model.size, model.mean, model.scale)

    model_ms = median_ms(lambda: model.session.run(None, ready), _CALLS)
    decode_ms = median_ms(decode, _CALLS)
    return Latency(
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        load_ms=median_ms(lambda: inference.model_fn(str(folder)), _LOADS),
        model_ms=model_ms,
        decode_ms=decode_ms,
        model_to_decode=model_ms / decode_ms,
    )


def median_ms(call: Callable[[], object], times: int) -> float:
    """Median duration of a call in milliseconds, after one call that is not counted."""
    call()
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations) * 1000
