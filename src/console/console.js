// console.js - asks the process that serves this page how it is, again and again, and says so.
import { charts_draw, charts_path, charts_start } from "./charts.js";
import { dead_refresh, dead_start } from "./dead.js";
import { $, answer_of, clock, coded, count, duration, el, fill, setText } from "./dom.js";
import { flow_draw, flow_start, stuck_reason } from "./flow.js";

const EVERY_MS = 2000;
const HISTORY_MS = 5000;
const DEAD_MS = 10000;
const RATE_POINTS = 5; // rates are those of the last ten seconds

const seen = []; // the last snapshots, for the rates
let answered_ms = Date.now();
let history_ms = 0;
let dead_ms = 0;
let dead_is_asked = false;

async function ask(path) {
    return answer_of(await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000) }));
}

function rates_of(state) {
    const first = seen[0];
    const rates = {};

    for (const [name, n] of Object.entries(state.counts)) {
        rates[name] = first === state ? null : (n - first.counts[name]) / ((state.now_ms - first.now_ms) / 1000);
    }
    return rates;
}

/* Keep a snapshot; true if it is of another process than the last. */
function keep(state) {
    if (!state.counts) {
        seen.length = 0;
        return true;
    }
    const is_anew = seen.length === 0 || seen[0].started_at_ms !== state.started_at_ms;

    if (is_anew) {
        seen.length = 0;
    }
    seen.push(state);
    seen.splice(0, seen.length - RATE_POINTS - 1);
    return is_anew;
}

function draw_head(state) {
    const is_ready = state.status === "ready";

    setText($("pipeline"), state.pipeline ?? "");
    document.title = `${is_ready ? "" : "⚠ "}${state.pipeline ?? "starting"} – sluice`;
    $("state").dataset.is = is_ready ? "ready" : "not-ready";
    setText($("state"), is_ready ? "✓ ready" : "▲ not ready");
    setText($("facts"), `up ${duration((state.now_ms - state.started_at_ms) / 1000)}`
        + (state.keys.length ? `, ${state.keys.length === 1 ? "key" : "keys"} ${state.keys.join(", ")}` : ""));
    setText($("version"), `sluice ${state.version}`);
    $("reasons-why").hidden = is_ready;
    fill($("reasons-why"), state.reasons, (reasons) => reasons.map((r) => el("li", {}, r)));
    // Without its numbers, or it would be read out again each time they change.
    setText($("said"), is_ready ? "ready" : `not ready: ${state.reasons.join("; ").replace(/ for \d+ s/g, "")}`);
}

function worker_row(w) {
    const why = stuck_reason(w) || (w.queue_error ? `the queue cannot be asked (${w.queue_error})` : "");

    return el("tr", {}, el("th", { scope: "row" }, `${w.worker}`), el("td", {}, w.stage),
              el("td", {}, `${duration(w.still_s)} ago`),
              el("td", { className: why ? "bad" : "" }, why ? `▲ ${why}` : w.idle ? "idle: waits for messages" : "at work"));
}

function when(x) {
    const times = x.n === 1 ? "" : `${count(x.n)} times, `;
    const from = clock(x.first_ms);
    const to = clock(x.last_ms);

    return `${times}${from === to ? `at ${to}` : `${from} to ${to}`}`;
}

function error_item(x) {
    return el("li", { className: `card ${x.level}` },
              el("p", {}, el("span", { className: "level" }, x.level), " ", el("strong", {}, x.message),
                 x.code ? el("code", { className: "code" }, x.code) : null),
              x.detail ? el("p", { className: "detail" }, x.detail) : null,
              x.remedy ? el("p", { className: "remedy" }, el("b", {}, "What to do: "), ...coded(x.remedy)) : null,
              el("p", { className: "quiet" }, when(x)));
}

function draw_lists(state) {
    fill($("workers"), state.workers, (workers) => workers.map(worker_row));
    fill($("errors"), state.errors, (errors) => (errors.length ? errors.map(error_item)
        : [el("li", { className: "card quiet" }, "none since the start")]));
}

function say_gone() {
    const text = `not connected since ${clock(answered_ms)}`;

    document.body.classList.add("is-gone");
    $("state").dataset.is = "gone";
    setText($("state"), `▲ ${text}`);
    setText($("said"), text);
    document.title = "⚠ not connected – sluice";
}

function draw(state) {
    answered_ms = Date.now();
    document.body.classList.remove("is-gone");
    draw_head(state);
    draw_lists(state);
    $("flow").hidden = $("sum").hidden = !state.counts; // while it starts, it has none yet
    if (state.counts) {
        flow_draw(state, rates_of(state));
    }
}

/* A database that is slow, or away, must not keep the rest waiting. */
function refresh_dead(state) {
    if (!dead_is_asked && Date.now() - dead_ms >= DEAD_MS) {
        dead_ms = Date.now();
        dead_is_asked = true;
        dead_refresh(state.actions).finally(() => { dead_is_asked = false; });
    }
}

async function refresh() {
    let state;
    let is_anew;

    try {
        state = await ask("api/state");
        is_anew = keep(state);
        if (is_anew || Date.now() - history_ms >= HISTORY_MS) {
            history_ms = Date.now();
            charts_draw(await ask(charts_path(is_anew)));
        }
    } catch (error) {
        say_gone();
        return;
    }
    draw(state);
    refresh_dead(state);
}

async function go_on() {
    await refresh().catch((error) => console.error(error));
    setTimeout(go_on, EVERY_MS);
}

flow_start();
charts_start();
dead_start();
go_on();
