"""The kernels that notebooks run in: warm ones where they were prepared, ordinary ones elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Dict, Type, Unicode
from traitlets.config import Config

from clusterlib.run import warm

_LONGEST_SOCKET = 100


class RunKernelClient(AsyncKernelClient):
    """Takes a kernel for ready as soon as it answers on both channels, without listening on for a while."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers.

        Raises
        ------
        RuntimeError
            If it dies first or does not answer in time.
        """
        end = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < end:
            self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.get_shell_msg(timeout=1)
                if reply["msg_type"] == "kernel_info_reply":
                    # Until the channel of outputs is connected it says nothing, and what is said is lost.
                    await self.get_iopub_msg(timeout=0.2)
                    self._handle_kernel_info_reply(reply)
                    return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it was ready")
        raise RuntimeError(f"the kernel was not ready in {timeout:.0f} seconds")


class ForkProvisioner(LocalProvisioner):
    """Forks a warm kernel in place of starting an ordinary one, where that was prepared."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork or start a kernel."""
        streams = (kwargs[name].fileno() for name in ("stdout", "stderr"))
        kernel = warm.fork(cmd, kwargs["env"], kwargs["cwd"], *streams)
        if kernel is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.pid, self.pgid = kernel, kernel.pid, kernel.pid  # type: ignore[assignment]
        return self.connection_info


class RunKernelManager(AsyncKernelManager):
    """Starts kernels in a given folder that write what they say beside a notebook's cells into a file."""

    log_file = Unicode(help="File that the kernel's standard error is added to.").tag(config=True)
    folder = Unicode(help="Working directory of the kernel.").tag(config=True)
    variables = Dict(help="What to set in the kernel's environment.").tag(config=True)
    client_factory = Type(RunKernelClient, klass=AsyncKernelClient)

    running: ClassVar[dict[str, RunKernelManager]] = {}
    process = None

    async def start_kernel(self, **kwargs) -> None:
        """Start the kernel with its output beside the cells going to ``log_file``."""
        self.running[self.folder] = self
        if self.provisioner is None:
            self.kernel_id = uuid.uuid4().hex
            self.provisioner = ForkProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        # Neither environment nor working directory of this process: other threads start kernels at the same time.
        kwargs |= {"cwd": self.folder, "env": {**os.environ, **warm.SETTINGS, **self.variables}}
        with open(self.log_file, "ab") as log:
            await self._async_start_kernel(stdout=log, stderr=log, **kwargs)
        self.process = self.provisioner.process

    def kill(self) -> None:
        """Kill the kernel and what it started, whatever it is doing."""
        if self.process is not None and self.process.poll() is None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(self.process.pid, signal.SIGKILL)

    @property
    def exit_code(self) -> int | None:
        """How the kernel ended: a signal's number is negative; None while it runs."""
        return self.process.poll() if self.process is not None else None


def kill_kernels() -> None:
    """Kill every kernel that this process runs."""
    for manager in list(RunKernelManager.running.values()):
        manager.kill()


def kernel_config(folder: Path, log_file: Path, runtime: Path, variables: dict[str, str]) -> Config:
    """Return the settings of a kernel: its folder, its log, and sockets of the user's own where the system has them.

    Parameters
    ----------
    folder : Path
        Working directory.
    log_file : Path
    runtime : Path
        An empty folder for its sockets, and for IPython in place of the user's, whose start-up files stay out.
    variables : dict
        Added to its environment.
    """
    connection = runtime / f"{uuid.uuid4().hex[:12]}.json"
    # A port on the machine is open to everyone on it; sockets in the file system are not, but their names are short.
    transport = "ipc" if os.name == "posix" and len(str(connection)) < _LONGEST_SOCKET else "tcp"
    own = {"IPYTHONDIR": str(runtime), "JUPYTER_RUNTIME_DIR": str(runtime)}
    settings = {"log_file": str(log_file), "folder": str(folder), "connection_file": str(connection)}
    return Config({"RunKernelManager": {**settings, "transport": transport, "variables": {**variables, **own}}})


def close_loop() -> None:
    """Close the event loop that nbclient made for this thread, with what a stopped cell left waiting in it."""
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_event_loop_policy().get_event_loop()
        if not loop.is_running():
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.close()
        asyncio.set_event_loop(None)
