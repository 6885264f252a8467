"""monitor.py - what a run says to those who watch it: /metrics, /healthz, /readyz."""
import json
import re
import urllib.error
import urllib.request

from sluice import wait_for_text

PORT = re.compile(r'metrics and health are answered.*"server\.port":(\d+)')
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def watched(sluice):
    """Let the next run listen, wherever there is room."""
    sluice.settings["http"] = {"listen": 0}
    return sluice


class Monitor:
    def __init__(self, running):
        port = wait_for_text(running, PORT, within=30).group(1)
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path, method="GET", data=None, **headers):
        """Status, headers and text of any answer."""
        request = urllib.request.Request(self.url + path, method=method, data=data,
                                         headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers, e.read().decode()

    def text(self):
        status, headers, text = self.ask("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return text

    def samples(self):
        """{'name{labels}': value}"""
        lines = [line for line in self.text().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines)}

    def health(self):
        status, _, text = self.ask("/healthz")
        return status, json.loads(text)

    def ready(self):
        status, _, text = self.ask("/readyz")
        return status, json.loads(text)
