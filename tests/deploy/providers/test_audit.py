"""The audit of the command line, where S3 does not take a row."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.providers.audit import AuditTrail
from tests.deploy.cases import settings
from tests.deploy.conftest import Account
from workflow.access import Privilege


def test_a_row_kept_in_the_folder_is_on_disk_before_the_action_begins(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    sync = os.fsync

    def fsync(handle: int) -> None:
        sync(handle)
        synced.add(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    folder = tmp_path / "audit"
    trail = AuditTrail(
        account.session, settings(), folder, now=lambda: datetime(2026, 11, 26, tzinfo=UTC)
    )

    with trail.recorded(Privilege.DEPLOY, "a plan"):
        kept = list(folder.iterdir())

    assert [path.suffix for path in kept] == [".json"]
    assert {path.stat().st_ino for path in kept} <= synced
