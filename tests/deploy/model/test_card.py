"""The model card says what the manifest says."""

from deploy.model.card import CARD, render_card
from deploy.model.manifest import read_manifest


def test_the_card_is_written_from_the_manifest() -> None:
    assert CARD.read_text("utf-8") == render_card(read_manifest())


def test_the_card_states_the_test_accuracy_and_what_passes() -> None:
    manifest = read_manifest()
    card = render_card(manifest)
    assert f"| {manifest.test.accuracy.count} | {manifest.test.accuracy.value:.3f} |" in card
    for kind, share in manifest.neither.passing.items():
        assert f"| {kind} | {share.count} | {share.value:.3f} |" in card
