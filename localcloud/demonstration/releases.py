"""Releases: versions of the state machine that go wrong, made of its own definition. Pure."""

import copy
import json

from localcloud.demonstration.story import StoryRelease


def definition_of(release: StoryRelease, sound: str) -> str:
    """Return the definition of a release.

    Args:
        release: Which one.
        sound: The definition that works, JSON text.
    """
    machine = copy.deepcopy(json.loads(sound))
    states = machine["States"]
    match release:
        case StoryRelease.SOUND:
            return sound
        case StoryRelease.UNCHECKED:
            # The check of the threshold is lost: any confidence is accepted.
            states["FilterInferences"]["Next"] = "Accepted"
            del states["MeetsThreshold"], states["THRESHOLD_CONFIDENCE_NOT_MET"]
        case StoryRelease.BROKEN:  # the function is given half of its input
            states["ClassifyImage"]["Parameters"]["Payload"] = {"s3_key.$": "$.s3_key"}
            del states["ClassifyImage"]["Parameters"]["Payload.$"]
    return json.dumps(machine, indent=2)
