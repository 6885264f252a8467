// drive.js - Chromium for tests/e2e/browser.py: a line of JSON in, a line of JSON out.
//
//     {"code": "await page.click(args.what)", "args": {"what": "#retry"}}  →  {"value": null}
//
// `page` is Playwright's; `complaints` has what the page's console and its policy complained of.
const fs = require("fs");
const readline = require("readline");
const { chromium } = require("playwright-core");

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
const [, , width, height, scheme, patience_ms] = process.argv;
const complaints = [];
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

async function open() {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    const page = await browser.newPage({ viewport: { width: +width, height: +height }, colorScheme: scheme,
                                         timezoneId: "UTC", reducedMotion: "reduce" });

    page.setDefaultTimeout(+patience_ms);
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
    page.on("pageerror", (e) => complaints.push(e.message));
    await page.addInitScript(() => addEventListener("securitypolicyviolation",
        (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`)));
    return [browser, page];
}

async function main() {
    const [browser, page] = await open();

    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { code, args } = JSON.parse(line);
        let answer;

        try {
            const act = new AsyncFunction("page", "args", "complaints", "axe", code);

            answer = { value: (await act(page, args, complaints, axe)) ?? null };
        } catch (error) {
            answer = { error: error.stack };
        }
        process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
    await browser.close();
}

main();
