"""The warm process: has imported all that a worker needs, and forks one in milliseconds when told to.

It has one thread, no event loop, none of the server's files and none of its secrets. It never touches a document. On
its control socket the server sends commands; each is answered before the next:

    fork = "F", memory u64, niceness u32, with two files: the worker's end of its socket, and a pipe for its stderr
           answered by its pid, u32
    bury = "B", pid u32: kills the worker if it is still alive
           answered by its status as `waitpid` gives it, u32, or NO_SUCH_WORKER

A worker's pid is free for others only after `bury`, so that no command can hit a stranger.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
import traceback

from collab.engine import prison, worker

COMMAND_BYTES = 13
FORK = struct.Struct("<cQI")
BURY = struct.Struct("<cI8x")
REPLY = struct.Struct("<I")
NO_SUCH_WORKER = 2**32 - 1
STDERR_FD = 2


def main(parent: int, control_fd: int) -> None:
    """Serves until the server, whose pid is `parent`, closes the control socket or dies."""
    prison.ignore_signals()
    prison.die_with(parent)
    gc.collect()
    gc.freeze()  # what all workers share stays shared: their collectors leave it alone
    control = socket.socket(fileno=control_fd)
    control.sendall(REPLY.pack(os.getpid()))
    while True:
        command, files, _, _ = socket.recv_fds(control, COMMAND_BYTES, 2)
        if len(command) < COMMAND_BYTES:
            return
        control.sendall(REPLY.pack(_fork(command, files, control_fd) if files else _bury(command)))


def _fork(command: bytes, files: list[int], control_fd: int) -> int:
    """Starts a worker; returns its pid."""
    _, memory_bytes_max, niceness = FORK.unpack(command)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            prison.die_with(parent)
            os.dup2(files[1], STDERR_FD)
            os.dup2(files[0], control_fd)  # in the place of the control socket
            for file in files:
                os.close(file)
            prison.lock(memory_bytes_max, niceness)
            worker.serve(socket.socket(fileno=control_fd))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    for file in files:
        os.close(file)
    return pid


def _bury(command: bytes) -> int:
    """Ends a worker of this process and gives its pid back; returns its status."""
    _, pid = BURY.unpack(command)
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        return status
    except ChildProcessError:  # another warm process' worker, which died with it
        return NO_SUCH_WORKER


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
