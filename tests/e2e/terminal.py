"""terminal.py - a terminal that a test can read and type into: a session of tmux of its own."""
import itertools
import os
import shlex
import subprocess

import pytest

from wait import eventually

NUMBERS = itertools.count()


class Terminal:
    """One command in it; .text is what is on the screen at this moment."""

    def __init__(self, *command, cols=80, rows=24, term="screen"):
        self.name = f"sluice-{os.getpid()}-{next(NUMBERS)}"
        line = shlex.join(["env", f"TERM={term}", *command]) + '; echo "ended with $?"; exec cat'
        self.tmux("new-session", "-d", "-x", str(cols), "-y", str(rows), "sh", "-c", line)

    def tmux(self, *arguments):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TMUX", "LC_", "LANG"))}
        try:
            return subprocess.run(["tmux", "-u", "-L", self.name, "-f", "/dev/null", *arguments],
                                  env=env | {"LC_ALL": "C.UTF-8"}, check=True, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        except FileNotFoundError:
            pytest.fail("there is no tmux: apt-get install tmux", pytrace=False)

    @property
    def text(self):
        return self.tmux("capture-pane", "-p")

    @property
    def lines(self):
        return self.text.rstrip("\n").split("\n")

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, cols, rows):
        self.tmux("resize-window", "-x", str(cols), "-y", str(rows))

    def shows(self, *texts, within=15):
        """Wait until all of these are on the screen, and return it."""
        return eventually(lambda: (lambda seen: seen if all(t in seen for t in texts) else "")(
            self.text), within, what=f"{texts} on the screen:\n{self.text}")

    def hides(self, text, within=15):
        return eventually(lambda: (lambda seen: "" if text in seen else seen)(self.text), within,
                          what=f"{text!r} off the screen:\n{self.text}")

    def close(self):
        self.tmux("kill-server")
