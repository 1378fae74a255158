// Makes charts to point at and to zoom in of the figures that stand in the page
// (data-plot), with uPlot. Without this script the box's own pictures stand there;
// with it they stay for screen readers.
"use strict";
{
  const shown = new Map(); // id of a figure → its Chart

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const lines = ["--accent", "--cable"]; // of the series, in their order
  const element = (name, className) => Object.assign(document.createElement(name), { className });

  function scaled(v, units) {
    let i = 0;
    for (; v >= 999.5 && i < units.length - 1; i++) v /= 1000;
    return v.toFixed(i === 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2) + "\u00a0" + units[i];
  }
  const written = {
    "bit/s": (v) => scaled(v, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]),
    share: (v) => Math.round(v * 100) + "\u00a0%",
    count: (v) => String(v).replace(/\B(?=(\d{3})+$)/g, "\u202f"),
  };
  const edges = { "bit/s": (max) => [0, Math.max(max * 1.05, 1000)], share: () => [0, 1], count: (max) => [0, Math.max(max, 1)] };

  // moment is a time as the page writes it, no finer than the steps are.
  function moment(t, step) {
    const text = new Date(t * 1000).toISOString();
    return text.slice(0, 10) + (step >= 86400 ? "" : " " + text.slice(11, step >= 60 ? 16 : 19));
  }

  class Chart {
    constructor(figure) {
      this.box = element("div", "plot");
      this.tools = element("p", "tools");
      this.take(JSON.parse(figure.dataset.plot));
      this.label();
      this.buttons();
      this.make();
      this.put(figure);
      new ResizeObserver(() => this.fit()).observe(this.box);
      this.box.addEventListener("keydown", (e) => this.key(e));
      this.box.addEventListener("mousedown", () => { this.box.dataset.busy = ""; });
      document.addEventListener("mouseup", () => { delete this.box.dataset.busy; });
    }

    // put has the chart stand in a figure, in place of the picture.
    put(figure) {
      figure.append(this.box, this.tools);
      figure.classList.add("plotted");
    }

    // take turns the figures into columns, with room for all that the chart has place
    // for, and for the last bar.
    take(p) {
      this.plot = p;
      this.data = [p.times, ...p.values];
      const end = p.times[p.times.length - 1];
      if (end === undefined) return;
      const after = p.bars ? [end + p.step] : [];
      this.data = [[end - p.slots * p.step, ...p.times, ...after], ...p.values.map((v) => [null, ...v, ...after.map(() => null)])];
    }

    // label makes the chart a control that arrow keys move along; what stands at each
    // point is its text.
    label() {
      const set = { role: "slider", tabindex: "0", "aria-label": this.plot.label + ": point in time" };
      for (const [name, value] of Object.entries(set)) this.box.setAttribute(name, value);
    }

    buttons() {
      const add = (text, about, act) => {
        const b = element("button", "plain");
        b.type = "button";
        b.textContent = text;
        b.setAttribute("aria-label", about + ", " + this.plot.label);
        b.addEventListener("click", act);
        this.tools.append(b);
        return b;
      };
      add("+", "Zoom in", () => this.zoom(0.5));
      add("−", "Zoom out", () => this.zoom(2));
      this.all = add("All", "All of the time", () => this.whole());
      this.range = element("span", "range");
      this.tools.append(this.range);
    }

    make() {
      const p = this.plot, axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
      const days = (step) => step >= 86400;
      const series = p.names.map((name, i) => ({
        label: name, stroke: colour(lines[i]), width: p.bars ? 0 : 2, dash: i === 1 && !p.bars ? [5, 3] : undefined,
        fill: p.bars ? colour(lines[i]) : undefined, spanGaps: false, points: { show: p.bars ? false : undefined },
        paths: p.bars ? uPlot.paths.bars({ size: [0.8 / p.names.length], align: p.names.length === 1 ? 0 : i === 0 ? -1 : 1 }) : undefined,
        value: (u, v) => (v == null ? "–" : written[p.unit](v)),
      }));
      this.u = new uPlot({
        width: Math.max(this.box.clientWidth, 200), height: 190,
        tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
        scales: { x: { time: true }, y: { range: (u, min, max) => edges[p.unit](max) } },
        axes: [
          { ...axis, space: 80, values: (u, splits, i, space, step) => splits.map((t) => days(step) ? moment(t, step).slice(5) : moment(t, step).slice(11)) },
          { ...axis, size: 80, space: 34, incrs: p.unit === "count" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7, 1e8, 1e9] : undefined, values: (u, splits) => splits.map((v) => written[p.unit](v)) },
        ],
        series: [{ label: "UTC", value: (u, t) => (t == null ? "–" : moment(t, p.step)) }, ...series],
        cursor: { y: false, drag: { x: true, y: false, dist: 4 }, points: { size: 8 } },
        hooks: {
          setCursor: [(u) => { if (u.cursor.left < 0) this.rest(); }],
          setScale: [(u, key) => { if (key === "x") this.ranged(); }],
        },
      }, this.data, this.box);
      this.rest();
      this.ranged();
    }

    // first and last are the places of the first and the last figures.
    get first() { return 1; }
    get last() { return this.plot.times.length; }

    // rest has the legend say what is last, or what the arrow keys went to.
    rest() {
      const i = this.at === undefined ? this.last : this.index();
      if (this.u && i >= 0) this.u.setLegend({ idx: i }, false);
      this.say(i);
    }

    // say tells a screen reader what stands at one place.
    say(i) {
      const known = i >= this.first && i <= this.last;
      const set = { "aria-valuemin": "0", "aria-valuemax": String(Math.max(0, this.last - this.first)), "aria-valuenow": String(known ? i - this.first : 0) };
      set["aria-valuetext"] = !known ? "nothing yet" : moment(this.data[0][i], this.plot.step) + " UTC: " +
        this.plot.names.map((name, s) => name + " " + (this.data[s + 1][i] == null ? "not known" : written[this.plot.unit](this.data[s + 1][i]))).join(", ");
      for (const [name, value] of Object.entries(set)) if (this.box.getAttribute(name) !== value) this.box.setAttribute(name, value);
    }

    // index is the place of the time that the arrow keys went to, which moves as
    // time goes on.
    index() {
      const i = this.data[0].findIndex((t) => t >= this.at);
      return Math.min(this.last, Math.max(this.first, i < 0 ? this.last : i));
    }

    key(e) {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
      if (e.ctrlKey || e.altKey || e.metaKey) return;
      if (e.key in steps) {
        const from = this.at === undefined ? this.last : this.index();
        this.go(Math.min(this.last, Math.max(this.first, from + steps[e.key])));
      } else if (e.key === "+") this.zoom(0.5);
      else if (e.key === "-") this.zoom(2);
      else if (e.key === "0") this.whole();
      else if (e.key === "Escape") { this.at = undefined; this.u.setCursor({ left: -10, top: -10 }); }
      else return;
      e.preventDefault();
    }

    // go moves the cursor to a place, and the range along with it.
    go(i) {
      const t = this.data[0][i], { min, max } = this.u.scales.x;
      if (t === undefined) return;
      this.at = t;
      if (t < min) this.u.setScale("x", { min: t, max: t + max - min });
      if (t > max) this.u.setScale("x", { min: t - max + min, max: t });
      this.u.setCursor({ left: this.u.valToPos(t, "x"), top: 10 });
      this.u.setLegend({ idx: i }, false);
      this.say(i);
    }

    zoom(by) {
      const { min, max } = this.u.scales.x, [low, high] = this.ends();
      if (!(max > min)) return;
      const half = Math.max((max - min) * by, 4 * this.plot.step) / 2;
      const middle = this.at >= min && this.at <= max ? this.at : (min + max) / 2;
      if (2 * half >= high - low) this.whole();
      else this.u.setScale("x", { min: Math.max(low, middle - half), max: Math.min(high, middle + half) });
    }

    ends() { return [this.data[0][0], this.data[0][this.data[0].length - 1]]; }

    whole() {
      const [min, max] = this.ends();
      if (max > min) this.u.setScale("x", { min, max });
    }

    // ranged says which part is shown, and whether it is all.
    ranged() {
      const { min, max } = this.u?.scales.x ?? {}, [low, high] = this.ends();
      this.zoomed = max > min && (min > low || max < high);
      this.all.disabled = !this.zoomed;
      this.range.textContent = max > min ? moment(min, this.plot.step) + " to " + moment(max, this.plot.step) + " UTC" : "";
    }

    // fresh takes new figures; a part that was chosen stays as long as it is there.
    fresh(p) {
      const { min, max } = this.u.scales.x, zoomed = this.zoomed;
      this.take(p);
      const stays = zoomed && max > this.data[0][0];
      this.u.setData(this.data, !stays);
      if (stays) this.u.setScale("x", { min, max });
      if (this.at !== undefined) this.go(this.index());
      else if (this.u.cursor.left < 0 || this.u.cursor.left == null) this.rest();
    }

    fit() {
      const width = this.box.clientWidth;
      if (width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.u.height });
    }

    // recolour draws anew when the page turns light or dark.
    recolour() {
      const { min, max } = this.u.scales.x, zoomed = this.zoomed;
      this.u.destroy();
      this.make();
      this.fit();
      if (zoomed) this.u.setScale("x", { min, max });
    }

    end() { this.u.destroy(); }
  }

  function draw(within) {
    for (const figure of within.querySelectorAll("figure[data-plot]")) {
      if (!figure.classList.contains("plotted")) shown.set(figure.id, new Chart(figure));
    }
  }

  // A part of the page is exchanged: its charts go along.
  document.addEventListener("exchange", (e) => {
    const { from, to } = e.detail;
    for (const figure of from.querySelectorAll("figure.plotted")) {
      const chart = shown.get(figure.id), next = to.querySelector("#" + CSS.escape(figure.id));
      if (next) {
        chart.put(next);
        chart.fresh(JSON.parse(next.dataset.plot));
      } else {
        chart.end();
        shown.delete(figure.id);
      }
    }
    draw(to);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown.forEach((c) => c.recolour()));
  draw(document);
}
