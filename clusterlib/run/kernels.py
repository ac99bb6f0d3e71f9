"""The kernels that notebooks run in."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from traitlets import Unicode
from traitlets.config import Config


class LoggedKernelManager(AsyncKernelManager):
    """Starts kernels that write what they say beside a notebook's cells into a file, not on the terminal."""

    log_file = Unicode(help="File that the kernel's standard error is added to.").tag(config=True)

    async def start_kernel(self, **kwargs) -> None:
        """Start the kernel with its standard error going to ``log_file``."""
        with open(self.log_file, "ab") as log:
            await self._async_start_kernel(stderr=log, **kwargs)


def kernel_config(log_file: Path) -> Config:
    """Return the settings of a kernel: its log, and sockets of the user's own where the system has them."""
    # A port on the machine is open to everyone on it; sockets in the file system are not.
    transport = "ipc" if os.name == "posix" else "tcp"
    return Config({"LoggedKernelManager": {"log_file": str(log_file), "transport": transport}})
