"""sluice.py - run the program under test and read what it says."""
import copy
import json
import os
import re
import shlex
import signal
import subprocess

import yaml

from events import LOGIN_COLUMNS, MESSAGE_ID
from wait import SLOWER, eventually

SUMMARY = re.compile(r"received (\d+), loaded (\d+), duplicates (\d+), dead-lettered (\d+), "
                     r"returned (\d+), in (\d+(?:\.\d+)?) s \((\d+(?:\.\d+)?)/s\)")
FATES = ("received", "loaded", "duplicates", "dead_lettered", "returned")

KEPT_VARIABLES = ("ASAN_", "UBSAN_", "LSAN_", "TSAN_", "LLVM_PROFILE", "GCOV_", "LD_LIBRARY_PATH")


class Summary(dict):
    """The five counts; .line is the text they were read from."""

    def __init__(self, line):
        match = SUMMARY.search(line)
        assert match, "no summary as the last line of stderr: %r" % line
        super().__init__(zip(FATES, map(int, match.groups()[:5])))
        self.line = line

    def __getattr__(self, name):
        return self[name]

    @property
    def reconciles(self):
        return self.received == self.loaded + self.duplicates + self.dead_lettered + self.returned


class Result:
    def __init__(self, command, rc, out, err):
        self.command = command
        self.rc = rc
        self.out = out  # bytes
        self.err = err  # text

    def __repr__(self):
        return (f"\n$ {shlex.join(self.command)}\nexit {self.rc}\n--- stdout\n"
                f"{self.out[:2000].decode('utf-8', 'replace')}\n--- stderr\n{self.err[-6000:]}")

    @property
    def text(self):
        return self.out.decode("utf-8")

    @property
    def err_lines(self):
        return [line for line in self.err.splitlines() if line.strip()]

    @property
    def summary(self):
        assert self.err_lines, self
        summary = Summary(self.err_lines[-1])
        assert summary.reconciles, summary.line
        return summary

    @property
    def complaints(self):
        """What it says to a person: the lines of stderr that are not log lines."""
        return [line for line in self.err_lines if not line.startswith("{")]

    @property
    def logs(self):
        return [json.loads(line) for line in self.err_lines if line.startswith("{")]


class Running:
    """A process with its output in files, so that it never waits for a reader."""

    def __init__(self, command, env, cwd, stdin=None, name="run"):
        self.command = command
        self.out_path = f"{cwd}/{name}.stdout"
        self.err_path = f"{cwd}/{name}.stderr"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                command, env=env, cwd=cwd, stdout=out, stderr=err,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        if stdin is not None:
            try:
                self.process.stdin.write(stdin)
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # it refused its arguments and did not read

    @property
    def pid(self):
        return self.process.pid

    @property
    def err(self):
        with open(self.err_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def is_alive(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def has_taken(self, number):
        """True once a signal sent to the process is not pending any more."""
        if not self.is_alive():
            return True
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            pending = dict(line.split(":", 1) for line in f)["ShdPnd"]
        return not int(pending, 16) >> (number - 1) & 1

    def term(self, number=signal.SIGTERM):
        self.send(number)
        eventually(lambda: self.has_taken(number), what="the signal was taken")

    def kill(self):
        if self.is_alive():
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def wait(self, within=30):
        try:
            self.process.wait(within * SLOWER)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {within * SLOWER:g} s: "
                                 f"{self.result()!r}") from None
        return self.result()

    def result(self):
        with open(self.out_path, "rb") as f:
            out = f.read()
        return Result(self.command, self.process.returncode, out, self.err)

    def stop(self, within=20):
        """SIGTERM, and all that must follow: exit 0 with a summary."""
        self.send(signal.SIGTERM)
        result = self.wait(within)
        assert result.rc == 0, result
        return result


class Sluice:
    """A configuration, a key file, an environment; and the program run with them."""

    def __init__(self, binary, folder, env, name="sluice"):
        self.binary = binary
        self.folder = str(folder)
        self.env = env
        self.name = name
        self.keys = f"{self.folder}/test.keys"
        self.path = f"{self.folder}/{name}.yaml"
        self.settings = {}
        self.started = []

    # What to run

    def use(self, queue, database):
        """One worker and one receive in flight: exact, until a test says otherwise."""
        self.settings = {
            "source": {"sqs": {"queue_url": queue.url, "wait_time": "1s", "receives": 1}},
            "keys": {"file": self.keys},
            "sink": {"postgres": {"url": database.url, "table": "user_logins",
                                  "create": "if_missing"}},
            "workers": 1,
            "columns": copy.deepcopy(LOGIN_COLUMNS),
        }
        return self

    @property
    def sqs(self):
        return self.settings["source"]["sqs"]

    @property
    def postgres(self):
        return self.settings["sink"]["postgres"]

    def with_message_id(self):
        """One more column, so that a row can be traced to its message."""
        self.settings["columns"].append(dict(MESSAGE_ID))
        return self

    def in_parallel(self, workers=2, receives=2):
        self.settings["workers"] = workers
        self.sqs["receives"] = receives
        return self

    def use_queue(self, queue):
        self.sqs["queue_url"] = queue.url
        return self

    def through(self, proxy):
        self.env["AWS_ENDPOINT_URL"] = proxy.url
        return self

    def another(self, name):
        """The same configuration and key file for a second process."""
        other = Sluice(self.binary, self.folder, dict(self.env), name)
        other.keys = self.keys
        other.settings = copy.deepcopy(self.settings)
        other.started = self.started
        return other

    def write(self, text=None):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text if text is not None
                    else yaml.safe_dump(self.settings, sort_keys=False, allow_unicode=True))
        return self.path

    # Running it

    def start(self, *arguments, stdin=None):
        wrapper = shlex.split(os.environ.get("SLUICE_WRAP", ""))  # valgrind and its options
        running = Running(wrapper + [self.binary, *arguments], self.env, self.folder, stdin,
                          f"{self.name}-{len(self.started)}")
        self.started.append(running)
        return running

    def call(self, *arguments, stdin=None, within=30):
        """Any command, to its end."""
        return self.start(*arguments, stdin=stdin).wait(within)

    def good(self, *arguments, **more):
        result = self.call(*arguments, **more)
        assert result.rc == 0, result
        return result

    def make_keys(self, kid="k1"):
        if not os.path.exists(self.keys):
            self.good("keys", "new", self.keys, "--kid", kid)

    def begin(self, *arguments):
        """Start `sluice run` with the settings as they are now."""
        self.make_keys()
        return self.start("run", "-c", self.write(), *arguments)

    def run(self, *arguments, within=40):
        return self.begin(*arguments).wait(within)

    def drain(self, *arguments, within=40):
        """Run until the queue is empty; all must be well."""
        result = self.run("--until-empty", *arguments, within=within)
        assert result.rc == 0, result
        return result.summary

    def stop_all(self):
        for running in self.started:
            running.kill()
            if os.environ.get("SLUICE_SHOW"):
                print(repr(running.result()))


def clean_environment(home, moto):
    """Nothing of the caller's but the PATH; a clock that is 14 hours ahead."""
    env = {k: v for k, v in os.environ.items() if k.startswith(KEPT_VARIABLES)}
    env.update({
        "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TZ": "FAR-14",
        "AWS_ACCESS_KEY_ID": moto.key_id, "AWS_SECRET_ACCESS_KEY": moto.secret,
        "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": moto.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    })
    return env


def wait_for_text(running, pattern, within=15):
    """Wait for a word in the log of a running process."""
    return eventually(lambda: re.search(pattern, running.err), within,
                      what=f"{pattern!r} in the log")
