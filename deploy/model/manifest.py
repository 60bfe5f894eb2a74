"""Manifest: what a trained model is, how it was made and how good it was measured to be.

It is written by the training run, travels inside model.tar.gz beside the model, and is what the
model card, the endpoint's preprocessing and a drift baseline read.
"""

from pathlib import Path

import msgspec

from deploy.model.artifacts import ARTIFACTS, MANIFEST_FILE
from deploy.model.evaluate import Cut, SampleShare
from workflow.paired import Winner


class Preprocessing(msgspec.Struct, frozen=True):
    """From a decoded image to the network's input.

    Attributes:
        base_size: Pixels a side that every image is first reduced to.
        input_size: Pixels a side that it is then enlarged to.
        resampling: Pillow's name of the filter of both.
        mean: Taken off each pixel value, 0 to 255.
        scale: What the difference is divided by.
        background: Colour behind transparent parts.
    """

    base_size: int
    input_size: int
    resampling: str
    mean: float
    scale: float
    background: str


class Training(msgspec.Struct, frozen=True):
    """What the model was made from, and how.

    Attributes:
        data: Source and size of the labelled images.
        fitted_on: Number of labelled images the weights were fitted on.
        neither: Number of images that show neither class, by kind.
        seed: Of all chance in the run.
        recipe: Settings of the fit.
        temperature: Divides the logits; fitted on the validation images.
        packages: Versions of the packages that trained and quantised it.
    """

    data: str
    fitted_on: int
    neither: dict[str, int]
    seed: int
    recipe: dict[str, float]
    temperature: float
    packages: dict[str, str]


class Validation(msgspec.Struct, frozen=True):
    """Measured on images held back from the training split.

    Attributes:
        accuracy: Of the shipped, quantised model.
        float_accuracy: Of the same network before quantisation.
        calibration_error: Expected calibration error, ten bins; the temperature was fitted here.
        confidence: Counts by predicted class in twenty equal bins from the least, one half of
            two classes, to 1: a drift baseline.
    """

    accuracy: SampleShare
    float_accuracy: float
    calibration_error: float
    confidence: dict[str, tuple[int, ...]]


class Test(msgspec.Struct, frozen=True):
    """Measured once, at the end, on the test split.

    Attributes:
        accuracy: Share of images whose likelier class is right.
        calibration_error: Expected calibration error, ten bins.
        cuts: Coverage and accuracy by threshold.
    """

    accuracy: SampleShare
    calibration_error: float
    cuts: tuple[Cut, ...]


class Neither(msgspec.Struct, frozen=True):
    """Measured on images that show neither class and were not trained on.

    Attributes:
        threshold: Confidence that lets an image pass.
        passing: Share that passes, by kind.
    """

    threshold: float
    passing: dict[str, SampleShare]


class Latency(msgspec.Struct, frozen=True):
    """Measured on one thread of the machine that trained; compare ratios, not milliseconds.

    Attributes:
        machine: Processor and number of its cores.
        load_ms: Median time to load the model.
        model_ms: Median time of the network for one image.
        decode_ms: Median time to decode and prepare a 32 px PNG.
        model_to_decode: Ratio of the two.
    """

    machine: str
    load_ms: float
    model_ms: float
    decode_ms: float
    model_to_decode: float


class ModelComparison(msgspec.Struct, frozen=True):
    """The model beside an older one on the same photos, which neither was trained on.

    Attributes:
        old_sha256: Of the older model's file.
        data: Source and size of the photos.
        old: Accuracy of the older model.
        new: Accuracy of this model.
        difference: New less old.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        winner: Whether this model is better.
    """

    old_sha256: str
    data: str
    old: SampleShare
    new: SampleShare
    difference: float
    low: float
    high: float
    winner: Winner


class Manifest(msgspec.Struct, frozen=True):
    """See the module. ``sha256`` and ``size_bytes`` are of the model file."""

    sha256: str
    size_bytes: int
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    training: Training
    validation: Validation
    test: Test
    neither: Neither
    latency: Latency
    comparison: ModelComparison | None = None


def read_manifest(folder: Path = ARTIFACTS) -> Manifest:
    """Read ``manifest.json`` of a folder; the committed one by default.

    Raises:
        msgspec.ValidationError: Where it is not a manifest of this version of the project.
    """
    return msgspec.json.decode((folder / MANIFEST_FILE).read_bytes(), type=Manifest)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write it as readable JSON."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST_FILE).write_bytes(text + b"\n")
