"""wait.py - wait for conditions by looking, never by sleeping a fixed time."""
import os
import time

SLOWER = float(os.environ.get("SLUICE_SLOW", "1"))  # 5 or so under valgrind or a sanitizer


def eventually(look, within=15, every=0.05, what=""):
    """Look until the answer is true, and return it; an AssertionError says what never came."""
    deadline = time.monotonic() + within * SLOWER
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("after %g s still not: %s (last look: %r)"
                                 % (within * SLOWER, what or look, answer))
        time.sleep(every)
