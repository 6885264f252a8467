"""browser.py - Debian's Chromium without a screen, by Playwright (tests/console/drive.js)."""
import json
import os
import pathlib
import subprocess

import pytest

from wait import SLOWER

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ROOT / ".cache" / "console" / "node_modules"


class Browser:
    """One page.  do() runs lines of JavaScript with Playwright's `page` and gives what they return."""

    def __init__(self, width=1280, height=900, scheme="light"):
        if not MODULES.exists():
            pytest.fail(f"there is no {MODULES}: make .cache/console/ready", pytrace=False)
        self.process = subprocess.Popen(
            ["node", ROOT / "tests" / "console" / "drive.js", str(width), str(height), scheme,
             str(int(15000 * SLOWER))],
            env={**os.environ, "NODE_PATH": str(MODULES)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def do(self, code, **args):
        self.process.stdin.write(json.dumps({"code": code, "args": args}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the browser has ended"}')
        assert "error" not in answer, f"{code}\n{answer['error']}"
        return answer["value"]

    def open(self, url):
        self.do("await page.goto(args.url)", url=url)
        return self

    def text(self, selector):
        return self.do("return await page.innerText(args.at)", at=selector)

    def click(self, selector):
        self.do("await page.click(args.at)", at=selector)

    def sees(self, selector, text):
        """Wait until an element has the text (a regular expression of JavaScript)."""
        self.do("await page.locator(args.at).filter({ hasText: new RegExp(args.text) }).first().waitFor()",
                at=selector, text=text)

    def keys(self, *keys):
        for key in keys:
            self.do("await page.keyboard.press(args.key)", key=key)

    def type(self, text):
        self.do("await page.keyboard.type(args.text)", text=text)

    def focused(self):
        return self.do("return await page.evaluate(() => document.activeElement.id)")

    def tab_to(self, element_id, most=80):
        """By the Tab key alone, as who has no mouse."""
        for _ in range(most):
            if self.focused() == element_id:
                return
            self.keys("Tab")
        raise AssertionError(f"the Tab key does not come to #{element_id}")

    def complaints(self):
        return self.do("return complaints")

    def picture(self, path):
        self.do("await page.screenshot({ path: args.path })", path=str(path))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10 * SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
