"""test_console_page.py - the console, in a browser, of a run that really goes on: what it shows is so, and what is done
there happens."""
import os

import pytest

import sluice as program
import tokens
from browser import Browser
from events import BAD, login, logins
from monitor import Monitor, watched
from test_dead import letters, put, users
from wait import eventually

TOKEN = "not-so-secret-0123456789"


class Console:
    """A run, its two ends, and its page."""

    def __init__(self, sluice, queue, db, cluster):
        self.queue, self.db, self.cluster = queue, db, cluster
        with open(sluice.keys, "w", encoding="ascii") as f:
            f.write(tokens.key_line())
        os.chmod(sluice.keys, 0o600)
        sluice.env["SLUICE_HTTP_TOKEN"] = TOKEN
        self.running = watched(sluice.in_parallel(2, 1)).begin()
        self.monitor = Monitor(self.running)
        self.browser = Browser()

    def counts(self):
        found = self.monitor.samples()
        return {name: int(found[f"sluice_{metric}"]) for name, metric in {
            "received": "messages_received_total", "loaded": "rows_loaded_total",
            "dead": "messages_dead_lettered_total", "in hand": "messages_in_flight"}.items()}


@pytest.fixture(name="console", scope="module")
def started(binary, cluster, moto, tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    db = cluster.new_database()
    queue = moto.new_queue(None, VisibilityTimeout=30)
    sluice = program.Sluice(binary, folder, program.clean_environment(folder, moto)).use(queue, db)
    console = Console(sluice, queue, db, cluster)
    try:
        yield console
    finally:
        console.browser.close()
        sluice.stop_all()
        queue.remove()
        db.drop()


@pytest.fixture(name="page")
def opened(console):
    """The page, just opened; nothing that the browser itself complains of may come up."""
    page = console.browser
    page.do("complaints.length = 0")
    page.open(console.monitor.url + "/")
    page.sees("#state", "ready")
    yield page
    refused = "Failed to load resource"  # what some tests are about
    assert [c for c in page.complaints() if not c.startswith(refused)] == []


def test_the_page_shows_the_numbers_of_the_run(console, page):
    console.queue.send(logins(20) + [BAD])
    eventually(lambda: console.db.count() >= 20 and console.counts()["dead"] == 1)
    c = console.counts()
    page.sees("#sum", f"{c['received']} received = {c['loaded']} loaded \\+ 0 duplicates \\+ 1 dead-lettered"
                      " \\+ 0 handed back \\+ 0 in hand")
    page.sees("[data-place=queue]", console.queue.name)
    page.sees("[data-place=table]", f"user_logins{c['loaded']} rows")
    page.sees("[data-place=load]", "1 dead letter")
    page.sees("#workers", "0receive")
    page.sees("#reasons", "missing_fielduser_id1")
    page.sees("#chart-rate figcaption", r"Messages loaded: [\d.]+/s now")


def test_an_outage_appears_where_it_is_and_clears(console, page):
    before = console.db.count()
    console.cluster.stop("fast")
    try:
        console.queue.send([login(100)])
        page.sees("#state", "not ready")
        page.sees("[data-place=load] .stuck", "the database has taken nothing for \\d+ s, DISCONNECTED")
        page.sees("#workers", "the database has taken nothing")
        page.sees("#errors", "the database is away; waiting[^]*What to do: ")
        assert page.do("return await page.locator('.place.is-stuck').count()") == 1, "nothing else is to blame"
    finally:
        console.cluster.start()
    page.sees("#state", "✓ ready")
    eventually(lambda: console.db.count() == before + 1)
    assert page.text("[data-place=load] .stuck") == ""


def test_a_process_that_is_gone_is_said_to_be(page):
    page.do("await page.route('**/api/**', (route) => route.abort())")
    page.sees("#state", r"not connected since \d\d:\d\d:\d\d")
    page.do("await page.unroute('**/api/**')")
    page.sees("#state", "✓ ready")


def test_a_dead_letter_is_seen_sealed_and_retried(console, page):
    letter, = put(console.db, login(4711), reason="bad_version", field="app_version", first=1)
    page.open(console.monitor.url + "/")
    page.click("#reasons button:has-text('bad_version')")
    page.sees("#retry", "Retry 1 …")
    page.click(f"#view-{letter}")
    page.do("await page.fill('#token-value', 'not-the-token-0123456789')")
    page.keys("Enter")
    page.sees("#token-wrong", "token")
    page.do("await page.fill('#token-value', args.token)", token=TOKEN)
    page.keys("Enter")
    page.sees("#letter-dialog", "public.user_logins-message-1")
    page.sees("#letter-command", f"^sluice dead show {letter} -c FILE --reason ")
    assert "user-4711" not in page.do("return await page.content()"), "bodies stay sealed"
    page.keys("Escape")

    page.click("#retry")
    page.sees("#confirm-title", "Retry 1 new dead letter with bad_version of app_version\\?")
    page.click("#confirm-yes")
    page.sees("#dead-result", "Retried: 1 loaded\\.")
    page.sees("#letters", "^none$")
    assert "user-4711" in users(console.db)
    assert letters(console.db)[letter][0] == "retried"


def test_a_purge_is_confirmed_and_takes_no_mouse(console, page):
    ids = put(console.db, "{", "[", reason="not_json", field=None, first=10)
    put(console.db, "{}", reason="wrong_type", field="<img src=x>", first=20)
    page.open(console.monitor.url + "/")
    page.sees("#reasons", "not_json")
    page.sees("#reasons", "wrong_type<img src=x>1")
    assert page.do("return await page.locator('img').count()") == 0, "data are text"
    page.tab_to(page.do("return await page.getAttribute(\"#reasons button:has-text('not_json')\", 'id')"))
    page.keys("Enter")
    page.sees("#purge", "Purge 2 …")
    page.tab_to("purge")
    page.keys("Enter")
    page.sees("#confirm-title", "Purge 2 new dead letters with not_json\\?")
    page.keys("Enter")  # what has the focus is Cancel
    assert page.focused() == "purge" and set(ids) <= set(letters(console.db))

    page.keys("Enter")
    page.tab_to("confirm-yes")
    page.keys("Enter")
    page.sees("#token-dialog", "Token")
    page.type(TOKEN)
    page.keys("Enter")
    page.sees("#dead-result", "Purged: 2 dead letters\\.")
    assert not set(ids) & set(letters(console.db))


def test_without_a_token_nothing_can_be_done(console, page):
    put(console.db, "{", reason="not_json", field=None, first=30)
    page.do("""await page.route("**/api/state", async (route) => {
                   const reply = await route.fetch();
                   await route.fulfill({ response: reply, json: { ...await reply.json(), actions: false } });
               })""")
    page.open(console.monitor.url + "/")
    page.click("#reasons button:has-text('not_json')")
    page.sees("#dead-hint", "Actions are off: ")
    enabled = page.do("return await page.locator('#dead-body button:visible:enabled').allInnerTexts()")
    assert enabled == page.do("return await page.locator('#reasons button').allInnerTexts()"), "to look only"
    page.do("await page.unroute('**/api/state')")


def test_all_of_it_comes_from_the_program(console):
    for path, kind in {"/": "html", "/console.js": "javascript", "/console.css": "css", "/uplot.js": "javascript",
                       "/uplot.css": "css", "/licenses.txt": "plain"}.items():
        status, headers, text = console.monitor.ask(path)
        assert (status, headers["Content-Type"]) == (200, f"text/{kind}; charset=utf-8"), path
        assert "default-src 'none'" in headers["Content-Security-Policy"] and len(text) > 1000
    assert "Leon Sorokin" in text, "the license of uPlot"
    assert console.monitor.ask("/console.html")[0] == 404


def test_it_is_legible_to_all_and_fits_a_phone(console, page):
    page.sees("#dead-body", "Status")
    page.do("await page.evaluate(axe)")
    for scheme in ("light", "dark"):
        page.do("await page.emulateMedia({ colorScheme: args.scheme })", scheme=scheme)
        found = page.do("return (await page.evaluate(() => axe.run())).violations"
                        ".map((v) => `${v.impact} ${v.id}: ${v.nodes[0].html}`)")
        assert found == [], scheme
    page.do("await page.setViewportSize({ width: 360, height: 740 })")
    assert page.do("return await page.evaluate(() => document.documentElement.scrollWidth)") == 360
    page.do("await page.setViewportSize({ width: 1280, height: 900 })")
