"""Rollout: a new model beside the one in use, compared on live captures."""
