// flow.js - the flow as it is at this moment: how much goes through, who is where, what is stuck.
import { $, count, duration, el, perSecond, plural, setText } from "./dom.js";

const STAGES = ["receive", "decode", "mask", "load", "ack"];

const COUNT_OF = { receive: "received", load: "loaded", ack: "deleted" };
const WORK_OF = { decode: "bodies become checked fields", mask: "cleartext becomes tokens" };

const boxes = {}; // by place: the parts of a box that change

function add_box(flow, place, title) {
    const box = {
        item: el("li", { className: "place" }),
        name: el("p", { className: "name" }),
        main: el("p", { className: "main" }),
        more: el("p", { className: "quiet" }),
        workers: el("p", { className: "chips" }),
        stuck: el("p", { className: "stuck" }),
        aside: el("p", { className: "aside quiet" }),
    };

    box.item.dataset.place = place;
    box.item.append(el("div", { className: "box" }, el("h3", {}, title), box.name, box.main, box.more,
                       box.workers, box.stuck), box.aside);
    flow.append(box.item);
    boxes[place] = box;
}

export function flow_start() {
    const flow = $("flow");

    add_box(flow, "queue", "queue");
    for (const stage of STAGES) {
        add_box(flow, stage, stage);
    }
    add_box(flow, "table", "table");
}

function say(place, parts) {
    const box = boxes[place];

    for (const part of ["name", "main", "more", "stuck", "aside"]) {
        setText(box[part], parts[part] ?? "");
        box[part].hidden = !parts[part] && part !== "aside";
    }
    box.item.classList.toggle("is-stuck", Boolean(parts.stuck));
    box.item.classList.toggle("is-moving", Boolean(parts.moves) && !parts.stuck);
}

/* Why a worker does not get on; "" where it does. */
export function stuck_reason(w) {
    if (w.outage_s > 0 || w.outage) {
        return `${w.awaited ?? "the other end"} has taken nothing for ${duration(w.outage_s)}, ${w.outage}`;
    }
    return w.stalled ? `no progress for ${duration(w.still_s)}` : "";
}

function draw_source(state) {
    const s = state.source;
    const refused = state.workers.find((w) => w.queue_error);

    setText(boxes.queue.item.querySelector("h3"), s.kind === "sqs" ? "queue" : s.kind);
    say("queue", {
        name: s.name,
        main: s.visible === null ? "" : `${count(s.visible)} waiting`,
        more: s.visible === null ? (s.kind === "sqs" ? "depth not known" : "")
                                 : `${count(s.in_flight)} in flight, ${count(s.delayed)} delayed`,
        stuck: refused ? `cannot be asked (${refused.queue_error})` : "",
        aside: s.asked_s_ago === null ? "" : `depth asked ${duration(s.asked_s_ago)} ago`,
    });
}

function draw_chips(place, workers) {
    const chips = workers.map((w) => {
        const word = stuck_reason(w) ? "stuck" : w.idle ? "idle" : "busy";

        return el("span", { className: `chip is-${word}`, title: `worker ${w.worker}: ${word}` },
                  `${w.worker}`, el("span", { className: "unseen" }, ` ${word}`));
    });

    boxes[place].workers.replaceChildren(
        ...(chips.length ? [el("span", { className: "quiet" }, chips.length === 1 ? "worker " : "workers "), ...chips] : []));
}

function aside_of(stage, state, rates) {
    const c = state.counts;

    if (stage === "receive" && c.returned > 0) {
        return `↶ ${count(c.returned)} handed back`;
    }
    if (stage === "load") {
        return `↳ ${plural(c.dead_lettered, "dead letter")}, ${perSecond(rates.dead_lettered)}`
            + (c.duplicates > 0 ? `; ${plural(c.duplicates, "duplicate")}` : "");
    }
    return stage === "ack" && c.delete_failed > 0 ? `${plural(c.delete_failed, "delete")} failed` : "";
}

function draw_stage(stage, state, rates) {
    const here = state.workers.filter((w) => w.stage === stage);
    const name = COUNT_OF[stage];
    const known = name && state.counts[name] !== undefined;
    const reasons = here.map(stuck_reason).filter(Boolean);

    say(stage, {
        main: known ? perSecond(rates[name]) : "",
        more: known ? `${count(state.counts[name])} ${name}` : WORK_OF[stage],
        stuck: reasons.length ? `stuck: ${reasons[0]}` : "",
        aside: aside_of(stage, state, rates),
        moves: rates.received > 0,
    });
    draw_chips(stage, here);
}

export function flow_draw(state, rates) {
    const c = state.counts;

    draw_source(state);
    for (const stage of STAGES) {
        draw_stage(stage, state, rates);
    }
    say("table", {
        name: state.target.name,
        main: plural(c.loaded, "row"),
        more: "committed since the start",
        moves: rates.loaded > 0,
    });
    setText(boxes.table.item.querySelector("h3"), state.target.kind === "postgres" ? "table" : state.target.kind);
    setText($("sum"), `${count(c.received)} received = ${count(c.loaded)} loaded + ${plural(c.duplicates, "duplicate")}`
        + ` + ${count(c.dead_lettered)} dead-lettered + ${count(c.returned)} handed back + ${count(c.in_flight)} in hand`
        + (state.oldest_s === null ? "" : `, the oldest for ${duration(state.oldest_s)}`));
}
