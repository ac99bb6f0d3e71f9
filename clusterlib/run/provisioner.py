"""A kernel provisioner for jupyter_client that forks kernels from a process which has imported the stack."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from clusterlib.run.warm import CannotFork, get_zygote, launch_arguments, log

NAME = "clusterlib-fork"


@contextlib.contextmanager
def _descriptor(stream: Any, default: int) -> Iterator[int]:
    """The descriptor that a Popen argument stands for."""
    if stream is None:
        yield default
    elif stream in (subprocess.DEVNULL, subprocess.PIPE):
        with open(os.devnull, "wb") as null:
            yield null.fileno()
    else:
        yield stream if isinstance(stream, int) else stream.fileno()


class ForkProvisioner(LocalProvisioner):
    """Forks warm kernels; where that cannot be had it starts the ordinary kernel, and the log says so."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel in place of running ``cmd``."""
        try:
            self.process = self._fork(cmd, kwargs)
        except CannotFork as reason:
            log.warning("an ordinary kernel is started, which takes longer: %s", reason)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        # Against this folder jupyter_client resolves paths that a kernel speaks of.
        vars(self)["cwd"] = kwargs.get("cwd") or os.path.abspath(os.curdir)
        return self.connection_info

    def _fork(self, cmd: list[str], kwargs: dict[str, Any]):
        arguments = launch_arguments(cmd)
        if arguments is None:
            raise CannotFork("the kernel is not the IPython kernel of this environment")
        env = kwargs.get("env") or dict(os.environ)
        cwd = str(kwargs.get("cwd") or os.path.abspath(os.curdir))
        with _descriptor(kwargs.get("stdout"), 1) as out, _descriptor(kwargs.get("stderr"), 2) as err:
            zygote = get_zygote(env)
            return zygote.launch(arguments, env, cwd, out, err)
