"""Runs a command in a terminal of its own, and closes the terminal once a file holds a text often enough.

Takes a glob pattern of the file, the text, how often it must occur, and the command. Prints the command's
exit code, and how many bytes it had shown.
"""

import glob
import os
import pty
import sys
import time

pattern, text, count, *command = sys.argv[1:]


def occurs_often_enough():
    return any(open(path, encoding="utf-8").read().count(text) >= int(count) for path in glob.glob(pattern))


child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
os.set_blocking(terminal, False)
shown = 0
deadline = time.monotonic() + 120
while time.monotonic() < deadline and not occurs_often_enough():
    try:
        shown += len(os.read(terminal, 65536))
    except BlockingIOError:
        time.sleep(0.02)
os.close(terminal)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), shown)
