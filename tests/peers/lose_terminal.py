"""Runs a command in a terminal of its own, and takes the terminal away after some seconds.

Prints the command's exit code, and how many bytes it had shown.
"""
import os, pty, sys, time
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
end = time.monotonic() + float(sys.argv[1])
os.set_blocking(terminal, False)
seen = b""
while time.monotonic() < end:
    try:
        seen += os.read(terminal, 65536)
    except BlockingIOError:
        time.sleep(0.05)
os.close(terminal)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), len(seen))
