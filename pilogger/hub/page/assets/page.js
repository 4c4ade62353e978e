"use strict";

// Polls the hub and keeps one card per series: its latest value, and a chart where the
// values are numbers. All text goes through textContent: keys and values are strangers'.

const POLL_MS = 1000;
const TIMEOUT_MS = 8000;
const MOST_POINTS = 600;
const LAST_DATE = 8.64e12; // seconds; a Date holds no more
const ACCENTS = ["#0d9488", "#d97706", "#7c3aed", "#e11d48", "#0284c7", "#65a30d"];

const UNITS = {
  "1": "", Cel: "°C", "[ppm]": "ppm", "[ppb]": "ppb", Ohm: "Ω", "dB[mW]": "dBm",
  "[degF]": "°F", "mm[Hg]": "mmHg", "[in_i'Hg]": "inHg", "[in_i]": "in", "[ft_i]": "ft",
  "[mi_i]/h": "mph", "[kn_i]": "kn", "/min": "per min", "W.h": "Wh", "kW.h": "kWh",
  m3: "m³", "m3/h": "m³/h", "g/m3": "g/m³", "ug/m3": "µg/m³",
  "m/s2": "m/s²", deg: "°", "deg/s": "°/s", uT: "µT",
  By: "B", "By/s": "B/s",
};

const byId = (id) => document.getElementById(id);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// -- words -------------------------------------------------------------------------------

/** As many decimals as the recent values have, so that the figure does not jump about. */
function number(value, recent) {
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return value.toExponential(3);
  const given = Math.max(...recent.map((one) => (String(one).split(".")[1] ?? "").length));
  const useful = 5 - Math.max(0, Math.floor(Math.log10(size || 1)));
  const digits = Math.max(0, Math.min(given, size < 1 ? 4 : Math.min(useful, 3)));
  return value.toLocaleString(undefined, {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
  });
}

const short = (value) => value.toLocaleString(undefined, {
  notation: Math.abs(value) >= 1e5 ? "compact" : "standard", maximumSignificantDigits: 5,
});

function age(epoch) {
  const seconds = Date.now() / 1000 - epoch;
  if (seconds < -5 || seconds >= 86400) return new Date(epoch * 1000).toLocaleString();
  if (seconds < 2) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function moments(_, epochs, _axis, _space, step) {
  const style = step < 60 ? { timeStyle: "medium" } : step < 86400 ? { timeStyle: "short" }
    : { month: "short", day: "numeric" };
  const format = new Intl.DateTimeFormat(undefined, { hourCycle: "h23", ...style });
  return epochs.map((epoch) => format.format(new Date(epoch * 1000)));
}

// -- one series --------------------------------------------------------------------------

class Card {
  constructor(series) {
    this.element = byId("card").content.firstElementChild.cloneNode(true);
    this.find = (name) => this.element.querySelector(`.${name}`);
    this.key = series.key;
    this.accent = accent(series.key);
    this.points = [];
    this.drawn = [];
    this.hovered = null; // which drawn point the pointer is at, here or in another chart
    this.chart = null;
    this.element.style.setProperty("--accent", this.accent);
    const dot = series.key.indexOf(".") + 1;
    this.find("sensor").textContent = series.key.slice(0, dot);
    this.find("channel").textContent = series.key.slice(dot);
  }

  add(series) {
    this.points.push(...series.points);
    this.points.sort((a, b) => (a[0] ?? -Infinity) - (b[0] ?? -Infinity));
    this.points.splice(0, this.points.length - MOST_POINTS);
    this.find("unit").textContent = UNITS[series.unit] ?? series.unit;
    this.draw();
    this.tell();
  }

  /** Say the latest value, or the one under the pointer. */
  tell() {
    const hovered = this.drawn[this.hovered];
    const [epoch, value] = hovered ?? this.points.at(-1);
    const words = this.find("value");
    words.textContent = typeof value === "number"
      ? number(value, this.points.slice(-20).map(([, one]) => one)) : String(value);
    words.classList.toggle("text", typeof value === "string");
    this.find("when").textContent = !isDate(epoch) ? ""
      : hovered ? new Date(epoch * 1000).toLocaleTimeString() : age(epoch);
    this.element.classList.toggle("hovered", Boolean(hovered));
  }

  draw() {
    this.drawn = this.points.filter(([t, v]) => typeof v === "number" && isDate(t));
    if (!this.drawn.length) return;
    const data = [this.drawn.map(([t]) => t), this.drawn.map(([, v]) => v)];
    if (this.chart) this.chart.setData(data);
    else this.chart = this.newChart(data);
  }

  newChart(data) {
    this.find("chart").hidden = false;
    const axis = {
      gap: 4, font: "11px system-ui, sans-serif", stroke: () => ink("--soft"),
      ticks: { show: false },
    };
    return new uPlot({
      ...this.size(),
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, drag: { x: false, y: false }, sync: { key: "page", scales: ["x", null] },
      },
      hooks: { setCursor: [({ cursor }) => {
        this.hovered = cursor.idx;
        this.tell();
      }] },
      scales: { x: { range: span }, y: { range: room } },
      axes: [
        { ...axis, size: 24, space: 60, grid: { show: false }, values: moments },
        {
          ...axis, size: wide, space: 32, grid: { stroke: () => ink("--line"), width: 1 },
          values: (_, values) => values.map(short),
        },
      ],
      series: [{}, {
        stroke: this.accent, width: 2, fill: `${this.accent}1f`,
        points: { size: 5, fill: this.accent },
      }],
    }, data, this.find("chart"));
  }

  size() {
    const { clientWidth: width, clientHeight: height } = this.find("chart");
    return { width, height };
  }
}

/** How wide the longest label is, roughly: a chart's left edge moves only if it must. */
function wide(_, labels) {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return Math.max(46, 12 + 6.5 * longest);
}

/** A colour that a key keeps, whatever else is on the page. */
function accent(key) {
  const sum = [...key].reduce((total, letter) => total + letter.codePointAt(0), 0);
  return ACCENTS[sum % ACCENTS.length];
}

const isDate = (epoch) => epoch !== null && Math.abs(epoch) < LAST_DATE;

/** The range of a time axis: a minute around a single moment. */
function span({ data: [epochs] }) {
  const [first, last] = [epochs[0], epochs.at(-1)];
  return first === last ? [first - 30, last + 30] : [first, last];
}

/** The range of a value axis: some room above and below, also around a flat line. */
function room(_, low, high) {
  const margin = (high - low) * 0.1 || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}

// -- the page ----------------------------------------------------------------------------

let run = "";
let seq = 0;
const buckets = new Map(); // bucket key -> Bucket

class Bucket {
  constructor(name) {
    this.name = name;
    this.element = byId("bucket").content.firstElementChild.cloneNode(true);
    this.cards = new Map(); // series key -> Card
  }

  add(series) {
    this.element.querySelector("h2").textContent = this.name = series.name;
    if (!this.cards.has(series.key)) {
      this.cards.set(series.key, new Card(series));
      inOrder(this.element.querySelector(".cards"), this.cards, "key");
    }
    this.cards.get(series.key).add(series);
  }
}

/** Show all of them, sorted; what is there already only moves. */
function inOrder(place, things, by) {
  const sorted = [...things.values()].sort((a, b) => a[by].localeCompare(b[by]));
  place.append(...sorted.map((thing) => thing.element));
}

function startAnew(newRun) {
  run = newRun;
  buckets.clear();
  byId("buckets").replaceChildren();
}

function show(answer) {
  if (answer.run !== run) startAnew(answer.run);
  seq = answer.seq;
  for (const series of answer.series) {
    if (!buckets.has(series.bucket)) {
      buckets.set(series.bucket, new Bucket(series.name));
      inOrder(byId("buckets"), buckets, "name");
    }
    buckets.get(series.bucket).add(series);
  }
  byId("empty").hidden = buckets.size > 0;
  const key = sessionStorage.getItem("accessKey") ? "-H 'X-IS-AccessKey: YOUR KEY' " : "";
  byId("example").textContent = `curl ${key}-H 'X-IS-BucketKey: test' `
    + `-d '{"key": "hello", "value": 1}' ${location.origin}/api/events`;
}

const everyCard = (act) => buckets.forEach(({ cards }) => cards.forEach(act));

function say(state, text) {
  byId("state").className = state;
  byId("state").textContent = text;
  byId("buckets").className = state;
}

// -- talking to the hub ------------------------------------------------------------------

/** Base64 of UTF-8: btoa alone throws on what is not Latin-1. */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function ask(since) {
  const key = sessionStorage.getItem("accessKey");
  const secret = sessionStorage.getItem("secret") ?? "";
  const answer = await fetch(`/api/live?since=${since}`, {
    headers: key ? { Authorization: `Basic ${base64(`${key}:${secret}`)}` } : {},
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.status === 401) return askForKey(key, await answer.text());
  if (!answer.ok) throw new Error(await answer.text());
  const found = await answer.json();
  return since && found.run !== run ? ask(0) : found;
}

/** Wait until the visitor gave a key; resolves to nothing, so the next poll tries it. */
function askForKey(refused, words) {
  startAnew("");
  seq = 0;
  say("", "locked");
  byId("empty").hidden = true;
  byId("door").hidden = false;
  byId("refusal").textContent = refused ? `The hub says: ${words}.` : "";
  byId("key").focus();
  return new Promise((given) => {
    byId("door").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("accessKey", byId("key").value);
      sessionStorage.setItem("secret", byId("secret").value);
      byId("key").value = byId("secret").value = "";
      byId("door").hidden = true;
      given(null);
    };
  });
}

async function follow() {
  let last = "";
  for (;;) {
    try {
      const answer = await ask(seq);
      if (answer) {
        show(answer);
        last = ` since ${new Date().toLocaleTimeString()}`;
        say("live", "live");
      }
    } catch {
      say("lost", `connection lost${last}, trying again`);
    }
    everyCard((card) => card.tell());
    await pause(POLL_MS);
    while (document.hidden) await pause(POLL_MS / 4);
  }
}

addEventListener("resize", () => everyCard((card) => card.chart?.setSize(card.size())));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  everyCard(({ chart }) => chart?.redraw(false, true)));
follow();
