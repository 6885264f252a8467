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


ANSWERS = [
    ("route.abort()", r"No answer \(.*\): it may have been done"),
    ("route.fulfill({ status: 504, contentType: 'text/html', body: '<h1>Gateway Time-out' })",
     r"No answer \(HTTP 504\): it may have been done"),
    ("route.fulfill({ status: 200, contentType: 'application/json', body: '{\"purged\":' })", "No answer"),
    ("route.fulfill({ status: 503, json: { purged: 1, error: 'the connection was lost' } })",
     r"Purged: 1 dead letter\. Then it ended: the connection was lost\."),
    ("route.fulfill({ status: 409, json: { error: 'there are 3 by now: look again' } })",
     "Not done: there are 3 by now: look again"),
]


def test_what_may_have_been_done_is_not_said_to_be_undone(console, page):
    put(console.db, "{", reason="not_utf8", field=None, first=40)
    page.open(console.monitor.url + "/")
    page.click("#token")
    page.type(TOKEN)
    page.keys("Enter")
    page.sees("#token", "Forget the token")
    for answer, said in ANSWERS:
        page.do(f"await page.route('**/api/dead/purge', (route) => {answer})")
        if page.do("return await page.locator('#reasons button[aria-pressed=true]').count()") == 0:
            page.click("#reasons button:has-text('not_utf8')")
        page.sees("#purge", "Purge 1 …")
        page.click("#purge")
        page.click("#confirm-yes")
        page.sees("#dead-result", said)
        page.do("await page.unroute('**/api/dead/purge')")


def test_what_is_gone_is_no_choice_any_more(console, page):
    """Others purge letters, too: by the program, or on another page.  Who is in another row stays there."""
    ids = put(console.db, "{", "[", "]", reason="too_deep", field=None, first=50)
    put(console.db, "", reason="not_utf8", field=None, first=53)
    page.open(console.monitor.url + "/")
    page.click("#reasons button:has-text('too_deep')")
    page.do("await page.check(args.at)", at=f"#choose-{ids[0]}")
    page.sees("#purge", "Purge 1 …")
    page.do("await page.focus(\"#reasons button:has-text('not_utf8')\")")
    console.db.execute("DELETE FROM sluice.dead_letter WHERE reason = 'too_deep'")
    page.sees("#dead-hint", "Choose a reason above")
    assert page.do("return await page.locator('#reasons button[aria-pressed=true]').count()") == 0
    assert not page.do("return await page.isEnabled('#purge')")
    assert page.text(f"[id='{page.focused()}']") == "not_utf8"


def test_an_answer_that_comes_late_says_nothing_of_what_was_chosen_since(console, page):
    put(console.db, "{", reason="not_utf8", field=None, first=60)
    put(console.db, "{", reason="too_deep", field=None, first=61)
    page.open(console.monitor.url + "/")
    page.sees("#reasons", "too_deep")
    page.do("""let fail;
               const late = new Promise((resolve) => { fail = resolve; });
               await page.route("**/api/dead?*code=not_utf8*", async (route) => {
                   await late;
                   await route.fulfill({ status: 503, json: { error: "away" } });
               });
               await page.click("#reasons button:has-text('not_utf8')");
               await page.click("#reasons button:has-text('too_deep')");
               await page.locator("#purge:has-text('Purge 1')").waitFor();
               const failed = page.waitForResponse((r) => r.status() === 503);
               fail();
               await (await failed).finished();
               await page.unroute("**/api/dead?*code=not_utf8*");
               await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));""")
    assert page.do("return await page.isVisible('#dead-body')") and page.text("#dead-note") == ""


def test_a_process_that_starts_has_no_numbers_yet(page):
    """Those of the one before would be taken for its own."""
    page.sees("#sum", "received")
    page.do("""await page.route("**/api/state", async (route) => {
                   const reply = await route.fetch();
                   const none = { source: null, target: null, counts: null, workers: [], oldest_s: null };
                   await route.fulfill({ response: reply, json: { ...await reply.json(), ...none } });
               })""")
    page.do("await page.locator('#flow').waitFor({ state: 'hidden' })")
    assert not page.do("return await page.isVisible('#sum')")
    page.do("await page.unroute('**/api/state')")
    page.sees("#sum", "received")


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
