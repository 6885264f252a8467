// dom.js - elements, words and numbers for the rest.  Data becomes text, never markup.

/* Make <tag>; properties by name ("data-" and "aria-" ones as attributes), then children. */
export function el(tag, props = {}, ...children) {
    const node = document.createElement(tag);

    for (const [name, value] of Object.entries(props)) {
        if (name.includes("-") || name === "role" || name === "scope") {
            node.setAttribute(name, value);
        } else {
            node[name] = value;
        }
    }
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
}

export const $ = (id) => document.getElementById(id);

/* Only what differs is touched: what is selected stays, and nothing is announced twice. */
export function setText(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

/* Replace the children by make(data), if the data differ from the last; the focus stays where it was. */
export function fill(node, data, make) {
    const now = JSON.stringify(data);
    const focused = node.contains(document.activeElement) ? document.activeElement.id : "";

    if (node.filledWith === now) {
        return;
    }
    node.filledWith = now;
    node.replaceChildren(...make(data));
    if (focused && $(focused)) {
        $(focused).focus();
    }
}

/* The parts of a text: what stands between backticks is code. */
export const coded = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? "?" : whole.format(n));
export const number = (n) => (n >= 10 ? whole : tenths).format(n);
export const perSecond = (n) => (n === null ? "…" : `${number(n)}/s`);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function duration(s) {
    if (s < 90) {
        return `${Math.round(s)} s`;
    }
    if (s < 90 * 60) {
        return `${Math.round(s / 60)} min`;
    }
    return s < 48 * 3600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

export const milliseconds = (ms) => (ms < 1000 ? `${number(ms)} ms` : `${number(ms / 1000)} s`);
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
export const utc = (text) => String(text).replace("T", " ").replace(/(\.\d+)?(Z|\+00(:00)?)$/, "");

/* What an HTTP reply says; an Error with its status, and what else it says, where it refuses. */
export async function answer_of(reply) {
    if (!reply.ok) {
        const answer = await reply.json().catch(() => ({}));

        throw Object.assign(new Error(answer.error ?? `HTTP ${reply.status}`), { status: reply.status, answer });
    }
    return reply.json();
}
