// dead.js - dead letters: by reason, one by one, tried again, purged.  Bodies come sealed, and stay so.
import { $, answer_of, count, el, fill, plural, setText, utc } from "./dom.js";

const PAGE = 50;

const filter = { code: null, field: null };
const chosen = new Map(); // id → status
let token = "";           // kept here and nowhere else
let pages = 1;
let shown = { reasons: [], letters: [] };
let may_act = false;
let asked = 0; // lists so far

async function call(path, body) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const options = { cache: "no-store", headers, signal: AbortSignal.timeout(60000) };

    if (body) {
        headers["Content-Type"] = "application/json";
        options.method = "POST";
        options.body = JSON.stringify(body);
    }
    try {
        return await answer_of(await fetch(path, options));
    } catch (error) { // only the process itself knows what it has not done: a proxy, or silence, says nothing of it
        throw Object.assign(error, { is_unknown: Boolean(body) && !error.answer?.error });
    }
}

/* ---- dialogs: each ends in true or false ---- */

function ask_in(dialog) {
    return new Promise((resolve) => {
        const form = dialog.querySelector("form");

        dialog.returnValue = "";
        form.onsubmit = (event) => {
            event.preventDefault();
            dialog.close("yes");
        };
        form.querySelector("button[value=no]").onclick = () => dialog.close("");
        dialog.onclose = () => resolve(dialog.returnValue === "yes");
        dialog.showModal();
    });
}

async function ask_token(wrong) {
    $("token-value").value = "";
    setText($("token-wrong"), wrong);
    if (!await ask_in($("token-dialog"))) {
        return false;
    }
    token = $("token-value").value.trim();
    $("token-value").value = "";
    draw_actions();
    return true;
}

function confirm(title, text, yes, kind) {
    setText($("confirm-title"), title);
    setText($("confirm-text"), text);
    setText($("confirm-yes"), yes);
    $("confirm-yes").className = kind;
    return ask_in($("confirm-dialog"));
}

/* Do what takes a token; a wrong one is asked for anew.  null: given up. */
async function with_token(act) {
    let wrong = "";

    for (;;) {
        if (!token && !await ask_token(wrong)) {
            return null;
        }
        try {
            return await act();
        } catch (error) {
            if (error.status !== 401) {
                throw error;
            }
            token = "";
            wrong = error.message;
            draw_actions();
        }
    }
}

/* ---- what an action is for: the chosen letters, or all of one reason ---- */

function reason_name(r) {
    return r.field ? `${r.code} of ${r.field}` : r.code;
}

/* Without a field, a reason is meant with whatever field. */
function is_meant(r) {
    return r.code === filter.code && (filter.field === null || r.field === filter.field);
}

function sum(status) {
    return shown.reasons.filter(is_meant).reduce((n, r) => n + r[status], 0);
}

function aim_at_chosen(status) {
    const ids = [...chosen].filter(([, is]) => status === "all" || is === status).map(([id]) => id);

    return { n: ids.length, body: { ids, status }, name: plural(ids.length, "chosen dead letter") };
}

function aim_at_reason(status) {
    const n = status === "all" ? sum("new") + sum("retried") : sum(status);
    const word = status === "all" ? "" : `${status} `;

    return { n, name: `${plural(n, `${word}dead letter`)} with ${reason_name(filter)}`,
             body: { code: filter.code, status, ...(filter.field ? { field: filter.field } : {}) } };
}

/* What an action on letters of this status would be for. */
function aim(status) {
    return chosen.size > 0 ? aim_at_chosen(status) : aim_at_reason(status);
}

const AIMS = { retry: () => aim("new"), purge: () => aim(chosen.size > 0 ? "all" : $("dead-status").value) };

function hint() {
    if (!may_act) {
        return "Actions are off: the process was started without http.token_file or SLUICE_HTTP_TOKEN.";
    }
    return chosen.size > 0 || filter.code ? "" : "Choose a reason above, or letters, to retry or purge them.";
}

function draw_actions() {
    for (const [id, word] of [["retry", "Retry"], ["purge", "Purge"]]) {
        const { n } = AIMS[id]();

        setText($(id), n > 0 ? `${word} ${count(n)} …` : `${word} …`);
        $(id).disabled = !may_act || n === 0;
    }
    setText($("token"), token ? "Forget the token" : "Token …");
    $("token").disabled = !may_act;
    setText($("dead-hint"), hint());
}

/* ---- lists ---- */

function path_of_list() {
    const query = new URLSearchParams({ status: $("dead-status").value, limit: PAGE });

    for (const name of ["code", "field"]) {
        if (filter[name]) {
            query.set(name, filter[name]);
        }
    }
    return `api/dead?${query}`;
}

async function fetch_list() {
    const list = await call(path_of_list());

    for (let page = 1; page < pages && list.more; page++) {
        const next = await call(`${path_of_list()}&before=${list.letters[list.letters.length - 1].id}`);

        list.letters.push(...next.letters);
        list.more = next.more;
    }
    return list;
}

function choose_reason(r) {
    const is_off = filter.code === r.code && filter.field === r.field;

    filter.code = is_off ? null : r.code;
    filter.field = is_off ? null : r.field;
    chosen.clear();
    pages = 1;
    dead_refresh(may_act);
}

function reason_row(r) {
    const is_on = is_meant(r);
    const id = `reason-${r.code}-${encodeURIComponent(r.field ?? "")}`; // of its own: rows change places
    const button = el("button", { id, type: "button", className: "link", "aria-pressed": String(is_on),
                                  onclick: () => choose_reason(r) }, r.code);

    return el("tr", { className: is_on ? "is-on" : "" }, el("th", { scope: "row" }, button), el("td", {}, r.field ?? "–"),
              el("td", { className: "n" }, count(r.new)), el("td", { className: "n" }, count(r.retried)));
}

function choose_letter(letter, is_on) {
    if (is_on) {
        chosen.set(letter.id, letter.status);
    } else {
        chosen.delete(letter.id);
    }
    draw_actions();
}

function letter_row(x) {
    const box = el("input", { id: `choose-${x.id}`, type: "checkbox", checked: chosen.has(x.id),
                              "aria-label": `Choose dead letter ${x.id}`,
                              onchange: (event) => choose_letter(x, event.target.checked) });
    const view = el("button", { id: `view-${x.id}`, type: "button", className: "link", disabled: !may_act,
                                "aria-label": `View dead letter ${x.id}`, onclick: () => try_to(() => view_letter(x.id)) },
                    `${x.id}`);

    return el("tr", {}, el("td", {}, box), el("th", { scope: "row" }, view), el("td", {}, x.status),
              el("td", {}, utc(x.received_at)), el("td", {}, x.code), el("td", {}, x.field ?? "–"),
              el("td", {}, x.sqlstate ?? "–"));
}

function draw() {
    const { reasons, letters } = shown;
    const marked = [...chosen.keys()];

    fill($("reasons"), [reasons, filter], () => (reasons.length ? reasons.map(reason_row)
        : [el("tr", {}, el("td", { colSpan: 4, className: "quiet" }, "no dead letters"))]));
    fill($("letters"), [letters, marked, may_act], () => (letters.length ? letters.map(letter_row)
        : [el("tr", {}, el("td", { colSpan: 7, className: "quiet" }, "none"))]));
    $("choose-all").checked = letters.length > 0 && letters.every((x) => chosen.has(x.id));
    $("choose-all").disabled = letters.length === 0;
    $("more").hidden = !shown.more;
    draw_actions();
}

/* ---- single view, retry, purge ---- */

async function view_letter(id) {
    const letter = await with_token(() => call(`api/dead/${id}`));

    if (!letter) {
        return;
    }
    const { sealed_body: body, ...facts } = letter;

    setText($("letter-title"), `Dead letter ${id}`);
    $("letter-facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [
        el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, value === null ? "–" : String(value))]));
    setText($("letter-body"), body ?? "");
    setText($("letter-command"), `sluice dead show ${id} -c FILE --reason '…'`);
    await ask_in($("letter-dialog"));
}

const ENDS = [["loaded", "loaded"], ["known", "already known"], ["refused", "refused again"], ["closed", "left closed"],
              ["passed", "passed over"]];

/* Why not, and how many of each. */
function refusals_text(refusals) {
    const n_of = new Map();

    for (const x of refusals) {
        const why = x.closed ?? reason_name(x);

        n_of.set(why, (n_of.get(why) ?? 0) + 1);
    }
    return [...n_of].map(([why, n]) => `; ${count(n)} × ${why}`).join("");
}

const ended_text = ({ error }) => (error ? ` Then it ended: ${error}.` : "");

function retry_text(total) {
    const said = ENDS.filter(([name]) => total[name] > 0).map(([name, word]) => `${count(total[name])} ${word}`);

    return `Retried: ${said.join(", ") || "nothing"}${refusals_text(total.refusals)}.${ended_text(total)}`;
}

function retry_add(total, part) {
    ENDS.forEach(([name]) => { total[name] = (total[name] ?? 0) + part[name]; });
    total.refusals.push(...part.refusals);
    total.error = part.error;
}

/* One part of them; where it ends halfway, what was done is done. */
async function part_of(path, count_of, body) {
    try {
        return await call(path, body);
    } catch (error) {
        if (error.answer?.[count_of] === undefined) {
            throw error;
        }
        return { ...error.answer, more: false };
    }
}

/* A request tries a part of them, and says where the next one goes on. */
async function retry_all(body) {
    const total = { refusals: [] };
    let after = 0;

    for (;;) {
        const part = await part_of("api/dead/retry", "refusals", { ...body, after });

        retry_add(total, part);
        if (!part.more) {
            return total;
        }
        after = part.after;
        setText($("dead-result"), `${retry_text(total)} It goes on …`);
    }
}

async function retry() {
    const at = AIMS.retry();

    if (!await confirm(`Retry ${at.name}?`, "Each is decoded, masked and loaded once more, with the configuration of this"
        + " process. What is refused again stays a dead letter.", `Retry ${count(at.n)}`, "main")) {
        return;
    }
    const total = await with_token(() => retry_all(at.body));

    if (total) {
        await done(retry_text(total));
    }
}

async function purge() {
    const at = AIMS.purge();

    if (!await confirm(`Purge ${at.name}?`, "They are deleted for good, their sealed bodies with them. Those that are new"
        + " never become rows.", `Purge ${count(at.n)}`, "danger")) {
        return;
    }
    const result = await with_token(() => part_of("api/dead/purge", "purged", { ...at.body, expect: at.n }));

    if (result) {
        await done(`Purged: ${plural(result.purged, "dead letter")}.${ended_text(result)}`);
    }
}

async function done(text) {
    chosen.clear();
    await dead_refresh(may_act);
    setText($("dead-result"), text);
}

async function try_to(act) {
    setText($("dead-result"), "");
    try {
        await act();
    } catch (error) {
        setText($("dead-result"), error.is_unknown
            ? `No answer (${error.message}): it may have been done, or go on still. Look at the numbers before you ask again.`
            : `Not done: ${error.message}`);
    }
}

async function use_token() {
    if (token) {
        token = "";
        draw_actions();
        return;
    }
    await ask_token("");
}

function say_why_not(text) {
    $("dead-body").hidden = text !== "";
    $("dead-note").hidden = text === "";
    setText($("dead-note"), text);
}

/* What somebody else has purged meanwhile, or retried, is no choice any more; what only stands further down is. */
function choices_update() {
    const now = new Map(shown.letters.map((x) => [x.id, x.status]));
    const last = shown.more ? shown.letters.at(-1).id : 0;

    for (const id of chosen.keys()) {
        if (now.has(id)) {
            chosen.set(id, now.get(id));
        } else if (id > last) {
            chosen.delete(id);
        }
    }
}

export async function dead_refresh(actions) {
    const mine = ++asked;
    let list;

    may_act = actions;
    try {
        list = await fetch_list();
    } catch (error) {
        if (mine === asked) {
            say_why_not(error.message);
        }
        return;
    }
    if (mine === asked) { // else somebody has chosen something else meanwhile
        shown = list;
        if (filter.code && !list.reasons.some(is_meant)) { // all of it is gone, and its row with it
            filter.code = filter.field = null;
            await dead_refresh(actions);
            return;
        }
        choices_update();
        say_why_not("");
        draw();
    }
}

export function dead_start() {
    $("dead-status").onchange = () => {
        chosen.clear();
        pages = 1;
        dead_refresh(may_act);
    };
    $("more").onclick = () => {
        pages++;
        dead_refresh(may_act);
    };
    $("choose-all").onchange = (event) => {
        shown.letters.forEach((x) => choose_letter(x, event.target.checked));
        draw();
    };
    $("retry").onclick = () => try_to(retry);
    $("purge").onclick = () => try_to(purge);
    $("token").onclick = () => try_to(use_token);
}
