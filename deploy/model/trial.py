"""Trial: one recipe, fitted on a part of the training split and validated on the rest.

Needs the optional packages of ``pip install -e '.[model]'``; only training imports it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from deploy.model import evaluate
from deploy.model.data import Dataset
from deploy.model.fit import Recipe, fit_network, fit_temperature, predict_logits
from deploy.model.measure import Images, neither_images
from deploy.model.network import class_probabilities

_VALIDATION_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Trial:
    """A fitted network and what it was fitted on; see the module.

    Attributes:
        recipe: How it was fitted.
        network: As ``build_network`` made it, trained.
        temperature: Fitted on the validation images.
        fitted: Labelled images that the weights were fitted on.
        seen: Images of neither class that they were fitted on, by kind.
        unseen: Images of neither class that are left for measuring, by kind.
        validation: Labelled images held back.
    """

    recipe: Recipe
    network: nn.Sequential
    temperature: float
    fitted: Dataset
    seen: dict[str, Images]
    unseen: dict[str, Images]
    validation: Dataset

    def predict_probabilities(self, images: Images) -> evaluate.Probabilities:
        """Return probabilities (n, classes) of the network before it is quantised."""
        logits = predict_logits(self.network, images, self.recipe.input_size)
        return np.asarray(class_probabilities(logits, self.temperature).numpy(), np.float64)

    def validation_accuracy(self) -> evaluate.SampleShare:
        """Return the accuracy on the validation images."""
        labels = self.validation.labels
        return evaluate.sample_share(
            evaluate.correct_mask(self.predict_probabilities(self.validation.images), labels)
        )


def run_trial(
    train: Dataset,
    photos: Images | None,
    recipe: Recipe,
    seed: int,
    report: Callable[[str], None],
) -> Trial:
    """Hold a share of the training split back, fit on the rest and fit the temperature.

    Args:
        train: Labelled images.
        photos: Photos of neither class (n, 32, 32, 3), or None.
        recipe: How to fit.
        seed: Of all chance in it, the split too.
        report: Called with one line an epoch.
    """
    order = np.random.default_rng(seed).permutation(len(train.labels))
    count = round(len(order) * _VALIDATION_SHARE)
    fitted, validation = train.take(order[count:]), train.take(order[:count])
    seen, unseen = neither_images(photos)
    network = fit_network(fitted, np.concatenate(list(seen.values())), recipe, seed, report)
    logits = predict_logits(network, validation.images, recipe.input_size)
    temperature = fit_temperature(logits, validation.labels)
    return Trial(recipe, network, temperature, fitted, seen, unseen, validation)
