"""The kernels that notebooks run in: warm ones where they were prepared, ordinary ones elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Type

from clusterlib.run import warm
from clusterlib.run.places import LOG
from clusterlib.run.zygote import RUNTIME_VARIABLE

KERNEL = "python3"
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
        while time.monotonic() < end and await self._async_is_alive():
            self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.get_shell_msg(timeout=1)
                # Until the channel of outputs is connected it says nothing, and what is said is lost.
                await self.get_iopub_msg(timeout=0.2)
                if reply["msg_type"] == "kernel_info_reply":
                    return self._handle_kernel_info_reply(reply)
        raise RuntimeError("the kernel died before it was ready, or was not ready in time")


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
    """Starts a kernel in a folder that writes what it says beside a notebook's cells into a file there.

    Parameters
    ----------
    folder : Path
        Working directory.
    runtime : Path
        An empty folder for its sockets and temporary files, and for IPython in place of the user's, whose start-up
        files stay out.
    variables : dict
        What to set in the kernel's environment.
    """

    client_factory = Type(RunKernelClient, klass=AsyncKernelClient)
    running: ClassVar[dict[str, RunKernelManager]] = {}

    def __init__(self, folder: Path, runtime: Path, variables: Mapping[str, str]) -> None:
        self.folder, self.process, self.expired = folder, None, False
        own = dict.fromkeys((RUNTIME_VARIABLE, "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"), str(runtime))
        self.variables = {**warm.SETTINGS, **variables, **own}
        connection = str(runtime / "k.json")
        # A port is open to everyone on the machine; sockets in the file system are not, but their names are short.
        transport = "ipc" if os.name == "posix" and len(connection) < _LONGEST_SOCKET else "tcp"
        super().__init__(kernel_name=KERNEL, connection_file=connection, transport=transport)
        self.running[str(folder)] = self

    async def start_kernel(self, **kwargs) -> None:
        """Start the kernel with its output beside the cells going into the file."""
        self.kernel_id = uuid.uuid4().hex
        self.provisioner = ForkProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        # Neither environment nor working directory of this process: other threads start kernels at the same time.
        kwargs |= {"cwd": str(self.folder), "env": {**os.environ, **self.variables}}
        with open(self.folder / LOG, "ab") as log:
            await self._async_start_kernel(stdout=log, stderr=log, **kwargs)
        self.process = self.provisioner.process
        if self.expired:
            self.kill()

    def kill(self) -> None:
        """Kill the kernel and what it started, whatever it is doing."""
        if self.exit_code is None and self.process is not None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(self.process.pid, signal.SIGKILL)

    def expire(self) -> None:
        """Kill the kernel because its time is up."""
        self.expired = True
        self.kill()

    @property
    def exit_code(self) -> int | None:
        """How the kernel ended: a signal's number is negative; None while it runs."""
        return self.process.poll() if self.process is not None else None


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
