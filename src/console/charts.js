// charts.js - the last hour, drawn by uPlot, whose texts and colours are those of the page.
/* global uPlot */
import { $, count, milliseconds, perSecond, setText } from "./dom.js";

const POINTS_MAX = 720; // an hour at 5 s
const LEAST_S = 120;    // that are drawn, of a process that has just started
const SERIES = ["received", "loaded", "dead_lettered", "visible", "p50_ms", "p99_ms"];

const CHARTS = [
    { id: "chart-rate", unit: perSecond,
      title: (now, most) => `Messages loaded: ${now("loaded")} now, ${most("loaded")} at most`,
      lines: [["received", "received", "--line-1", 3], ["loaded", "loaded", "--line-2", 1.5],
              ["dead_lettered", "dead letters", "--line-3", 1.5]] },
    { id: "chart-latency", unit: milliseconds,
      title: (now) => `Sent to committed: p50 ${now("p50_ms")}, p99 ${now("p99_ms")}`,
      lines: [["p50_ms", "p50", "--line-2", 1.5], ["p99_ms", "p99", "--line-1", 1.5]] },
    { id: "chart-depth", unit: count, may_lack: "visible",
      title: (now, most) => `Waiting in the queue: ${now("visible")} now, ${most("visible")} at most`,
      lines: [["visible", "messages", "--line-1", 1.5]] },
];

const kept = { times: [], end_ms: 0 }; // and an array a series

function forget() {
    kept.times = [];
    kept.end_ms = 0;
    for (const name of SERIES) {
        kept[name] = [];
    }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(values) {
    return { stroke: () => colour("--quiet"), font: "11px system-ui, sans-serif", values, gap: 4,
             grid: { stroke: () => colour("--grid"), width: 1 }, ticks: { show: false } };
}

function clock_text(u, at) {
    return at === null ? "–" : new Date(at * 1000).toLocaleTimeString("en-GB");
}

function hour() {
    const end = kept.times.at(-1) ?? Date.now() / 1000;

    return [Math.min(kept.times[0] ?? end, end - LEAST_S), end];
}

function options_of(chart, width) {
    const text = (u, value) => (value === null || value === undefined ? "–" : chart.unit(value));
    const times = (u, ats) => ats.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB").slice(0, kept.times.length > 180 ? 5 : 8));

    return {
        width, height: 170,
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: true, range: hour },
                  y: { range: (u, low, high) => [0, Math.max(high * 1.1, 5)] } },
        series: [{ label: "at", value: clock_text },
                 ...chart.lines.map(([, label, line, width]) => ({
                     label, width, value: text, stroke: () => colour(line), points: { show: false } }))],
        axes: [{ ...axis(times), space: 60, size: 24 },
               { ...axis((u, values) => values.map((v) => chart.unit(v))), size: 62 }],
    };
}

const data_of = (chart) => [kept.times, ...chart.lines.map(([name]) => kept[name])];

function draw(chart) {
    const figure = $(chart.id);
    const plot = figure.querySelector(".plot");
    const known = (name) => kept[name].filter((v) => v !== null);
    const text = (values) => (values.length ? chart.unit(values[values.length - 1]) : "–");
    const now = (name) => text(known(name).slice(-1));
    const most = (name) => text(known(name).length ? [known(name).reduce((a, b) => Math.max(a, b))] : []);

    figure.hidden = Boolean(chart.may_lack) && known(chart.may_lack).length === 0;
    setText(figure.querySelector("figcaption"), chart.title(now, most));
    if (figure.hidden) {
        return;
    }
    if (!chart.drawn) {
        chart.drawn = new uPlot(options_of(chart, plot.clientWidth), data_of(chart), plot);
        new ResizeObserver(() => chart.drawn.setSize({ width: plot.clientWidth, height: 170 })).observe(plot);
        return;
    }
    chart.drawn.setData(data_of(chart));
}

function take(history) {
    const n = history.received.length;
    const step_ms = history.step_s * 1000;

    for (let i = 0; i < n; i++) {
        kept.times.push((history.end_ms - (n - 1 - i) * step_ms) / 1000);
    }
    kept.end_ms = n > 0 ? history.end_ms : kept.end_ms;
    for (const name of SERIES) {
        kept[name].push(...(history[name] ?? Array(n).fill(null)));
        kept[name].splice(0, kept[name].length - POINTS_MAX);
    }
    kept.times.splice(0, kept.times.length - POINTS_MAX);
}

/* Where the points are that are not here yet; all of them, of another process. */
export function charts_path(is_anew) {
    if (is_anew) {
        forget();
    }
    return `api/history?after_ms=${kept.end_ms}`;
}

export function charts_draw(history) {
    take(history);
    CHARTS.forEach(draw);
}

export function charts_start() {
    forget();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
        () => CHARTS.forEach((chart) => chart.drawn?.redraw()));
}
