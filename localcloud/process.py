"""Process: a warm child that answers framed requests over pipes, with a log beside them."""

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_CHUNK = 1 << 16
# What the child's own code is imported from; it drops both before it runs what was uploaded.
_OWN_PATHS = [os.fspath(Path(__file__).parents[1]), sysconfig.get_paths()["purelib"]]


class ChildTimedOut(Exception):  # noqa: N818 - an outcome with a name of its own
    """The child did not answer in time; it has been killed."""


class ChildExited(Exception):  # noqa: N818
    """The child ended without an answer.

    Attributes:
        status: Its exit status; negative for a signal.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class Process:
    """One child process; used by one thread at a time.

    Args:
        module: The module whose ``main`` it runs, isolated (``-I -S``) from this environment.
        environ: Its whole environment; nothing of the parent's is added.
        directory: Its working directory.
    """

    def __init__(self, module: str, environ: Mapping[str, str], directory: Path) -> None:
        self._log, log_end = os.pipe()
        # The log is read until it would block: there is no telling how much the child has printed.
        os.set_blocking(self._log, False)
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _bootstrap_code(module)],
                cwd=directory,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_end,
                # So that whatever it starts can be killed with it.
                start_new_session=True,
            )
        finally:
            os.close(log_end)
        assert self._child.stdin is not None  # noqa: S101 - PIPE was asked for
        assert self._child.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._child.stdin, self._child.stdout
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN | select.POLLHUP)
        self._poll.register(self._log, select.POLLIN)
        self._logged = bytearray()
        self._log_ended = False

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._child.poll() is None

    @property
    def peak_memory_mb(self) -> int:
        """The most memory the child has used so far, in MB; 0 where the system does not say."""
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text()
        except OSError:
            return 0
        peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peak[0]) // 1024 if peak else 0

    def exchange_frames(self, frames: Sequence[bytes], replies: int, timeout: float) -> list[bytes]:
        """Send frames and wait for a number of reply frames.

        Raises:
            ChildTimedOut: No answer within ``timeout`` seconds.
            ChildExited: The child ended first.
        """
        deadline = time.monotonic() + timeout
        try:
            self._stdin.write(b"".join(struct.pack(">I", len(f)) + f for f in frames))
            self._stdin.flush()
        except BrokenPipeError:
            raise ChildExited(self._child.wait()) from None
        buffer, answers = bytearray(), list[bytes]()
        while len(answers) < replies:
            buffer += self._receive_output(deadline)
            while len(buffer) >= 4 and len(answers) < replies:  # noqa: PLR2004 - length prefix
                end = 4 + struct.unpack(">I", buffer[:4])[0]
                if len(buffer) < end:
                    break
                answers.append(bytes(buffer[4:end]))
                del buffer[:end]
        return answers

    def take_log(self) -> str:
        """Return what the child has printed since the last call."""
        self._drain_log()
        text = self._logged.decode("utf-8", "replace")
        self._logged.clear()
        return text

    def close(self) -> None:
        """End the child with every process it started, and let go of its pipes."""
        self._kill_group()
        self._child.wait()
        self._stdin.close()
        self._stdout.close()
        os.close(self._log)

    def _receive_output(self, deadline: float) -> bytes:
        while True:
            left = deadline - time.monotonic()
            ready = dict(self._poll.poll(max(0, left * 1000)))
            # Also while waiting: a child that fills its log pipe would block and never answer.
            if self._log in ready:
                self._drain_log()
            if self._stdout.fileno() in ready:
                data = os.read(self._stdout.fileno(), 1 << 20)
                if data:
                    return data
                raise ChildExited(self._child.wait())
            if left <= 0:
                self._kill_group()
                raise ChildTimedOut

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)  # the child leads a session of its own

    def _drain_log(self) -> None:
        while not self._log_ended:
            try:
                data = os.read(self._log, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._log_ended = True
                self._poll.unregister(self._log)
            self._logged += data


def _bootstrap_code(module: str) -> str:
    return f"import sys; sys.path += {_OWN_PATHS}; from {module} import main; main({_OWN_PATHS})"
