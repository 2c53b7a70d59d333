"use strict";

// What a threshold keeps is counted on bins: `at` edges and `between` them, for clips that pass
// all other rules. See pipelines/report_what_if.py, which counts the same.

const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 };

function within([at, between, atS, betweenS], low, high) {
  let clips = 0;
  let seconds = 0;
  for (let edge = low; edge <= high; edge += 1) {
    clips += at[edge];
    seconds += atS[edge];
    if (edge < high) {
      clips += between[edge];
      seconds += betweenS[edge];
    }
  }
  return [clips, seconds];
}

function added(...counts) {
  return counts.reduce((sum, count) => [sum[0] + count[0], sum[1] + count[1]], [0, 0]);
}

function keptWithin(counts, low, high) {
  const isOff = low === 0 && high === counts.edges.length - 1;
  const of = (kind) => added(within(counts.bins[kind], low, high), counts.always[kind],
    isOff ? counts.missing[kind] : [0, 0]);
  const isTighter = low > counts.bounds[0] || high < counts.bounds[1];
  const known = of("kept");
  const most = added(known, of("open"), counts.unmeasured, isTighter ? of("gone") : [0, 0]);
  return { low: known[0], high: most[0], lowS: known[1], highS: most[1] };
}

function number(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

function length(seconds) {
  if (seconds >= 3600) return (seconds / 3600).toFixed(2) + " h";
  return seconds >= 60 ? (seconds / 60).toFixed(1) + " min" : seconds.toFixed(1) + " s";
}

function keptText(kept, clips) {
  const range = (low, high) => (low === high ? low : low + " to " + high);
  const num = kept.low === kept.high ? number(kept.low)
    : number(kept.low) + " to " + number(kept.high);
  const seconds = kept.low === kept.high ? length(kept.lowS)
    : range(length(kept.lowS), length(kept.highS));
  return num + " of " + number(clips) + " clips kept, " + seconds;
}

function edgeText(value) {
  return String(Number(value.toPrecision(7)));
}

class WhatIf {
  constructor(figure) {
    this.figure = figure;
    this.counts = JSON.parse(figure.dataset.counts);
    this.bounds = [...this.counts.bounds];
    this.last = this.counts.edges.length - 1;
    this.plot = figure.querySelector(".plot");
    this.handles = [...figure.querySelectorAll(".handle")];
    this.output = figure.querySelector("output");
    this.change = figure.querySelector(".change");
    this.handles.forEach((handle, side) => {
      handle.hidden = false;
      handle.addEventListener("keydown", (event) => this.onKey(event, side));
    });
    this.plot.addEventListener("pointerdown", (event) => this.onPress(event));
    this.change.querySelector("button").addEventListener("click", () => {
      this.bounds = [...this.counts.bounds];
      this.show();
    });
    this.show();
  }

  edgeAt(event) {
    const box = this.plot.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    const gaps = this.counts.places.map((other) => Math.abs(other - place));
    return gaps.indexOf(Math.min(...gaps));
  }

  onPress(event) {
    if (event.button !== 0) return;
    const gaps = this.bounds.map((bound) => Math.abs(bound - this.edgeAt(event)));
    const pressed = this.handles.indexOf(event.target.closest(".handle"));
    const side = pressed >= 0 ? pressed : Number(gaps[1] < gaps[0]);
    const move = (moved) => this.set(side, this.edgeAt(moved));
    this.plot.setPointerCapture(event.pointerId);
    this.plot.addEventListener("pointermove", move);
    const end = () => this.plot.removeEventListener("pointermove", move);
    this.plot.addEventListener("lostpointercapture", end, { once: true });
    this.handles[side].focus();
    if (pressed < 0) move(event);
    event.preventDefault();
  }

  onKey(event, side) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const ends = { Home: 0, End: this.last };
    if (event.key in KEYS) this.set(side, this.bounds[side] + KEYS[event.key]);
    else if (event.key in ends) this.set(side, ends[event.key]);
    else return;
    event.preventDefault();
  }

  set(side, edge) {
    const [low, high] = side === 0 ? [0, this.bounds[1]] : [this.bounds[0], this.last];
    this.bounds[side] = Math.max(low, Math.min(high, edge));
    this.show();
  }

  /** The bound as a recipe has it: null at the outermost edge, which stands for none. */
  value(side) {
    const isNone = this.bounds[side] === (side === 0 ? 0 : this.last);
    return isNone ? null : this.counts.edges[this.bounds[side]];
  }

  show() {
    const kept = keptWithin(this.counts, ...this.bounds);
    const { subset, name, measure, clips } = this.figure.dataset;
    const places = this.bounds.map((bound) => this.counts.places[bound]);
    this.handles.forEach((handle, side) => {
      const value = this.value(side);
      const said = (side === 0 ? "at least " : "at most ") + edgeText(value ?? 0);
      handle.style.left = 100 * places[side] + "%";
      handle.classList.toggle("off", value === null);
      handle.dataset.value = value === null ? "" : edgeText(value);
      handle.setAttribute("aria-valuenow", edgeText(this.counts.edges[this.bounds[side]]));
      handle.setAttribute("aria-valuetext", value === null ? "off" : said);
    });
    this.figure.querySelector(".outside.low").setAttribute("width", 1000 * places[0]);
    this.figure.querySelector(".outside.high").setAttribute("x", 1000 * places[1]);
    this.figure.querySelector(".outside.high").setAttribute("width", 1000 * (1 - places[1]));
    Object.assign(this.output.dataset, kept);
    this.output.textContent = keptText(kept, Number(clips));
    const isChanged = this.bounds.some((bound, side) => bound !== this.counts.bounds[side]);
    const key = "subsets." + subset + ".rules." + name;
    const settings = ["min", "max"].map((bound, side) => bound + ": " + (
      this.value(side) === null ? "null" : edgeText(this.value(side))));
    if (name !== measure) settings.unshift("measure: " + measure);
    this.figure.classList.toggle("changed", isChanged);
    this.change.hidden = !isChanged;
    this.change.querySelector("code").textContent =
      "--set '" + key + "={" + settings.join(", ") + "}'";
  }
}

document.documentElement.classList.add("live");
for (const figure of document.querySelectorAll(".what-if")) new WhatIf(figure);
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
