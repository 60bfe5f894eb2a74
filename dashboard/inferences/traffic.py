"""Traffic: ``python -m localcloud.traffic`` as a child of this process, and why it ended.

The local cloud is a program of its own: it is started, never imported.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Final

from dashboard.aws.cloud import Cloud
from workflow.errors import WorkflowError, last_error

ARGUMENTS: Final = ("--count", "600", "--rate", "6")
"""What is sent: about 100 seconds of images, half of them before a drift."""


KEYS: Final = frozenset(
    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"}
)
"""Variables that would stand before the credentials of the local cloud."""


class TrafficProcess:
    """A generator under way, or one that has ended.

    Args:
        cloud: The local cloud that it sends to.
        arguments: What it sends.

    Attributes:
        arguments: The same.
    """

    def __init__(self, cloud: Cloud, arguments: Sequence[str] = ARGUMENTS) -> None:
        self.arguments = tuple(arguments)
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - read after the end
        self._stopped = False
        self._problem: WorkflowError | None = None
        self._lock = threading.Lock()
        url, keys = cloud.endpoint_url or "", cloud.credentials_file or ""
        command = [sys.executable, "-m", "localcloud.traffic", "--endpoint-url", url]
        # A key in the environment would stand before that of the local cloud, and reach AWS.
        others = {name: value for name, value in os.environ.items() if name not in KEYS}
        self._process = subprocess.Popen(
            [*command, *arguments],
            env={**others, "AWS_SHARED_CREDENTIALS_FILE": keys, "AWS_REGION": cloud.region},
            stdin=subprocess.DEVNULL,
            # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it; that it was ended is no problem."""
        self._stopped = True
        self._process.terminate()
        self._process.wait()

    @property
    def problem(self) -> WorkflowError | None:
        """What ended it early or was not sent; None while it runs and where all went well."""
        if self.running:
            return None
        with self._lock:  # every session of the page may ask
            if not self._output.closed:
                self._output.seek(0)
                said = self._output.read().decode(errors="replace")
                self._output.close()
                well = self._stopped or self._process.returncode == 0
                self._problem = None if well else problem_in(said)
        return self._problem


def problem_in(output: str) -> WorkflowError:
    """Return the last thing that a failed generator said: its error as JSON, or any line."""
    return last_error(
        output,
        lambda line: WorkflowError(
            "TrafficFailed",
            f"The traffic ended with an error: {line}",
            "Run `python -m localcloud.traffic` in a terminal to see all its output.",
        ),
    )
