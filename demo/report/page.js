// The page around the chart: clocks, tables, keys. All text comes in by textContent.
"use strict";

const $ = (id) => document.getElementById(id);
const CAUSE = { close: "its bar closed", late: "a late tick", correction: "a correction", cancel: "a cancel", definition: "another formula" };
const ACTION = { new: "late", correction: "corrected", cancel: "cancelled" };

function make(name, content = [], properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...[content].flat().filter((one) => one !== null));
  return made;
}

const iso = (at) => {
  const date = new Date(Math.floor(at / SECOND) * 1000).toISOString();
  const micros = Math.round(at % SECOND);
  return date.slice(0, 19).replace("T", " ") + (micros ? "." + String(micros).padStart(6, "0").replace(/0+$/, "") : "");
};
// A clock of the day; with the date where that is another one.
const told = (series, at) => (at >= series.starts_us && at < series.starts_us + DAY ? iso(at).slice(11) : iso(at));

function span(seconds) {
  if (seconds < 0.0005) return "0 s";
  if (seconds < 99.5) return `${Number(seconds.toPrecision(2))} s`;
  return seconds < 5970 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

class Page {
  constructor(about) {
    this.about = about;
    this.chart = new Chart($("chart"));
    this.loaded = new Map();
    this.hover = this.selected = -1;
    this.listen();
  }

  async open(number) {
    if (!this.loaded.has(number)) {
      const [facts, columns] = await unpack(`day-${number}`);
      this.loaded.set(number, new Series(facts, columns, this.about));
    }
    this.series = this.loaded.get(number);
    this.hover = -1;
    const { series } = this;
    this.choose(number);
    this.steps = (series.ends - series.starts_us) / SECOND;
    $("as-of").max = this.steps;
    $("known-by").max = this.steps + 1;
    const date = new Date(series.starts_us / 1000).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "long", year: "numeric" });
    $("title").textContent = `${series.symbol} on ${date}: what was known`;
    document.title = `${series.symbol}, tenant ${series.tenant_id}, ${iso(series.starts_us).slice(0, 10)}: what was known`;
    const market = [series.venue, series.currency, `exchange time ${series.zone}`].filter(Boolean);
    $("subtitle").textContent = `Tenant ${series.tenant_id}. ${series.description} (${market.join(", ")})`;
    this.tables();
    this.largest();
  }

  // The selects: all series, and the days of the one that is open, newest first.
  choose(number) {
    const [tenant, symbol, date] = this.about.days[number];
    $("series").value = `${tenant} ${symbol}`;
    const days = this.about.days.filter((one) => one[0] === tenant && one[1] === symbol).map((one) => one[2]);
    $("day").replaceChildren(...days.map((one) => make("option", one)));
    $("day").value = date;
  }

  // The number of a series' day; of its newest one where it has no such day.
  find(series, date) {
    const those = this.about.days.map(([tenant, symbol], number) => (`${tenant} ${symbol}` === series ? number : -1)).filter((one) => one >= 0);
    return those.find((number) => this.about.days[number][2] === date) ?? those[0];
  }

  get asOf() {
    return this.series.starts_us + Number($("as-of").value) * SECOND;
  }

  get knownBy() {
    const step = Number($("known-by").value);
    return step > this.steps ? this.about.published_us : this.series.starts_us + step * SECOND;
  }

  // The moment at which the bar that was restated most was first known, and what is around it.
  largest() {
    const { series } = this;
    const bar = series.mostRestated();
    const shown = ($("chart").clientWidth < 640 ? 1 : 3) * 60 * MINUTE;
    $("follow").checked = true;
    if (bar < 0) {
      this.setAsOf(this.steps);
      this.selected = -1;
    } else {
      const known = series.column.known_at[series.first[bar]];
      this.setAsOf(Math.min(this.steps, Math.ceil((known - series.starts_us) / SECOND)));
      this.selected = bar;
    }
    this.window(this.asOf - 0.7 * shown, shown);
    this.draw();
    this.explain();
  }

  setAsOf(step) {
    $("as-of").value = step;
    if ($("follow").checked) $("known-by").value = $("as-of").value;
  }

  // What is shown: a length from a moment on, held to where the day has bars.
  window(from, length) {
    const { series } = this;
    const first = series.buckets[series.barFrom(series.starts_us)];
    const last = series.buckets.at(-1) + MINUTE;
    const pad = 5 * MINUTE;
    const [least, most] = [Math.max(series.starts_us, first - pad), Math.max(last + pad, first + 30 * MINUTE)];
    this.length = Math.max(15 * MINUTE, Math.min(length, most - least));
    this.from = Math.max(least, Math.min(from, most - this.length));
    this.whole = this.length >= most - least;
    for (const button of document.querySelectorAll("[data-hours]")) {
      const hours = Number(button.dataset.hours);
      button.setAttribute("aria-pressed", hours ? this.length === hours * 60 * MINUTE && !this.whole : this.whole);
    }
  }

  zoom(by, around = this.from + this.length / 2) {
    const length = this.length * by;
    this.window(around - ((around - this.from) / this.length) * length, length);
    this.draw();
  }

  show(at) {
    if (at < this.from || at > this.from + this.length) this.window(at - this.length / 2, this.length);
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  render() {
    const { series, asOf, knownBy, from, length, hover, selected } = this;
    this.chart.draw({ series, asOf, knownBy, from, to: from + length, hover, selected });
    this.lane();
    this.overview();
    this.clocks();
    this.readout();
    this.moment();
    this.remember();
  }

  clocks() {
    const { series, asOf, knownBy } = this;
    const say = (at) => {
      const exchange = series.zone === "UTC" ? "" : ` · ${clockIn(series.zone, true)(at)} ${placeOf(series.zone)}`;
      return `${iso(at).slice(11, 19)} UTC${exchange}`;
    };
    const now = Number($("known-by").value) > this.steps;
    $("as-of-at").textContent = say(asOf);
    $("known-by-at").textContent = now ? `now: the last publish, ${iso(knownBy).slice(0, 16)} UTC` : say(knownBy);
    $("as-of").setAttribute("aria-valuetext", $("as-of-at").textContent);
    $("known-by").setAttribute("aria-valuetext", $("known-by-at").textContent);
  }

  // The whole day above the sliders, so that a thumb stands below its moment.
  overview() {
    const canvas = $("overview");
    const [width, height, inset] = [canvas.clientWidth, 46, 8];
    const pen = sized(canvas, width, height);
    const { series, about } = this;
    const x = (at) => inset + ((at - series.starts_us) / (series.ends - series.starts_us)) * (width - 2 * inset);
    this.overviewAt = (px) => series.starts_us + ((px - inset) / (width - 2 * inset)) * (series.ends - series.starts_us);
    const colour = colours();
    const bars = series.buckets.map((at, bar) => [at, series.version(bar, Infinity)]).filter(([at, v]) => v >= 0 && at >= series.starts_us);
    const closes = bars.map(([, v]) => series.column[about.lead][v]);
    const [low, high] = [closes.reduce((a, b) => Math.min(a, b), Infinity), closes.reduce((a, b) => Math.max(a, b), -Infinity)];
    pen.fillStyle = colour.grid;
    pen.fillRect(x(this.from), 0, x(this.from + this.length) - x(this.from), height);
    pen.strokeStyle = colour.muted;
    pen.beginPath();
    let last = 0;
    bars.forEach(([at], i) => {
      const y = height - 12 - ((closes[i] - low) / (high - low || 1)) * (height - 18);
      if (at - last > 10 * MINUTE) pen.moveTo(x(at), y);
      else pen.lineTo(x(at), y);
      last = at;
    });
    pen.stroke();
    for (const bar of series.restated) {
      pen.fillStyle = colour[this.causeOf(bar)];
      pen.fillRect(x(series.buckets[bar]), height - 7, 1.5, 6);
    }
    pen.strokeStyle = colour.line;
    pen.strokeRect(x(this.from) + 0.5, 0.5, x(this.from + this.length) - x(this.from) - 1, height - 1);
    for (const [at, style] of [[this.knownBy, colour.now], [this.asOf, colour.accent]]) {
      pen.fillStyle = style;
      if (at <= series.ends) pen.fillRect(x(at) - 0.75, 0, 1.5, height);
    }
  }

  causeOf(bar) {
    return this.about.causes[this.series.column.cause[this.series.first[bar + 1] - 1]];
  }

  // Whether ticks of the bar itself changed, or only what it has of others' closes.
  isOwn(bar) {
    const { series } = this;
    for (let v = series.first[bar] + 1; v < series.first[bar + 1]; v++) {
      if (series.changes(v).some(({ field }) => !series.form[field].is_window)) return true;
    }
    return false;
  }

  // A button for each restated bar in view; Tab comes to one of them, arrows go on.
  lane() {
    const { series, chart } = this;
    const lane = $("lane");
    lane.style.top = chart.laneTop + "px";
    lane.style.width = chart.right + "px";
    const held = lane.contains(document.activeElement);
    const inView = series.restated.filter((bar) => series.buckets[bar] + MINUTE > this.from && series.buckets[bar] < this.from + this.length);
    const stop = inView.includes(this.selected) ? this.selected : inView[0];
    lane.replaceChildren(
      ...inView.map((bar) => {
        const width = Math.max(4, chart.barWidth * 0.68);
        const times = series.first[bar + 1] - series.first[bar] - 1;
        const button = make("button", [], { className: this.causeOf(bar) + (this.isOwn(bar) ? "" : " window"), tabIndex: bar === stop ? 0 : -1 });
        button.style.left = chart.x(series.buckets[bar] + MINUTE / 2) - width / 2 + "px";
        button.style.width = width + "px";
        button.dataset.bar = bar;
        button.setAttribute("aria-pressed", bar === this.selected);
        const text = `Bar ${told(series, series.buckets[bar]).slice(0, 5)} UTC, restated ${times === 1 ? "once" : times + " times"}, last by ${CAUSE[this.causeOf(bar)]}`;
        button.setAttribute("aria-label", text);
        button.title = text;
        return button;
      }),
    );
    if (held) lane.querySelector("[tabindex='0']")?.focus();
  }

  readout() {
    const { series, about } = this;
    let bar = this.hover;
    if (bar < 0) {
      const at = series.snapshot(this.asOf, this.knownBy).bucket;
      bar = at === null ? -1 : series.barFrom(at);
    }
    const items = [];
    const add = (name, value, later = "", className = "") =>
      items.push(make("div", [make("dt", name), make("dd", value), make("dd", later, { className: "now" })], { className }));
    if (bar >= 0) {
      const at = series.buckets[bar];
      const then = at + MINUTE <= this.asOf ? series.version(bar, this.knownBy) : -1;
      const now = series.version(bar, Infinity);
      const exchange = series.zone === "UTC" ? "" : ` · ${clockIn(series.zone, false)(at)} ${placeOf(series.zone)}`;
      add(then < 0 ? "not known then" : "bar", `${told(series, at).slice(0, -3)} UTC${exchange}`, "", "time");
      for (const one of about.contract) {
        const { field } = one;
        const [was, is] = [series.value(then, field), series.value(now, field)];
        const value = make("span", then < 0 ? shown(series, one, is) : shown(series, one, was, is), { className: then < 0 ? "muted" : "" });
        add(field, value, then >= 0 && was !== is ? shown(series, one, is, was) : "");
      }
    }
    $("readout").replaceChildren(...items);
  }

  // feature_pit_snapshot() at the two clocks, beside what is known now.
  moment() {
    const { series, about, asOf, knownBy } = this;
    const then = series.snapshot(asOf, knownBy);
    const now = series.snapshot(asOf, Infinity);
    const bar = (one) => (one.bucket === null ? "none" : `bar ${told(series, one.bucket).slice(0, -3)}, known ${told(series, one.known_at)}`);
    $("moment-at").replaceChildren(
      `Then: ${bar(then)}${then.is_stale ? ", stale" : ""}.`, make("br"),
      `Now: ${bar(now)}${now.is_stale ? ", stale" : ""}. Times are UTC.`,
    );
    Object.assign($("moment").dataset, { bucket: then.bucket ?? "", knownAt: then.known_at ?? "", stale: then.is_stale });
    $("moment").tBodies[0].replaceChildren(
      ...about.contract.map((one) => {
        const { field, unit, formula, kind } = one;
        const cell = (value, other) => {
          const made = make("td", shown(series, one, value, other));
          made.dataset.value = value ?? "";
          return made;
        };
        const name = make("td", [field, make("small", kind === "word" ? "word" : unit)], { title: formula });
        const row = make("tr", [name, cell(then[field], now[field]), cell(now[field], then[field])], { className: then[field] === now[field] ? "" : "differs" });
        row.dataset.field = field;
        return row;
      }),
    );
    const known = knownBy === asOf ? "" : `, '${iso(knownBy)}+00'`;
    $("statement").textContent = `select * from feature_pit_snapshot(array['${quoted(series.symbol)}'], '${iso(asOf)}+00'${known}, p_tenant_id => ${series.tenant_id});`;
  }

  // The versions of the bar that is selected, oldest first, and the ticks behind each.
  explain() {
    const { series, about, selected } = this;
    if (selected < 0) {
      $("why-at").textContent = "No bar was restated. Click any bar for its versions.";
      $("why").replaceChildren();
      $("why-statement").parentElement.hidden = true;
      return;
    }
    const at = series.buckets[selected];
    const count = series.first[selected + 1] - series.first[selected];
    const exchange = series.zone === "UTC" ? "" : `, ${clockIn(series.zone, false)(at)} ${placeOf(series.zone)}`;
    $("why-at").textContent = `Bar ${told(series, at).slice(0, -3)} UTC${exchange}: ${count} version${count === 1 ? ", never restated" : "s"}.`;
    $("why").dataset.bucket = at;
    const items = [];
    for (let v = series.first[selected]; v < series.first[selected + 1]; v++) {
      const cause = about.causes[series.column.cause[v]];
      const number = v - series.first[selected] + 1;
      const known = series.column.known_at[v];
      const parts = [make("p", [make("strong", `Version ${number}`), `, known ${told(series, known)} UTC: ${CAUSE[cause]}`])];
      if (number > 1) {
        if (series.gone[v]) parts.push(make("p", "The bar has gone: all that it was made of was cancelled."));
        else parts.push(make("table", [make("tbody", series.changes(v).map(({ field, was, is }) => make("tr", [make("td", field), make("td", shown(series, series.form[field], was, is)), make("td", "→"), make("td", shown(series, series.form[field], is, was), { className: "now" })])))]));
        parts.push(...series.eventsOf(v).map((one) => this.event(one, at)));
      }
      const item = make("li", parts, { className: cause });
      item.dataset.cause = cause;
      item.dataset.known = known;
      items.push(item);
    }
    $("why").replaceChildren(...items);
    $("why-statement").parentElement.hidden = false;
    $("why-statement").textContent = `select * from feature.explain_restatement('${quoted(series.symbol)}', '${iso(at)}+00', ${series.tenant_id});`;
  }

  event(one, at) {
    const { series } = this;
    const tick = (values) =>
      one.kind === "trade"
        ? `${shown(series, PRICE, values.price)} × ${shown(series, AMOUNT, values.size)}${values.side ? " " + values.side : ""}`
        : one.kind === "quote"
          ? `${shown(series, PRICE, values.bid)} / ${shown(series, PRICE, values.ask)}`
          : CANDLE.map((name) => shown(series, PRICE, values[name])).join(" / ");
    const was = one.was && tick(one.was);
    const is = one.tick && tick(one.tick);
    const change = was && is ? `${was} → ${is}` : was ?? is;
    const where = one.topic === null ? "loaded without Kafka" : `${one.topic}, partition ${one.partition}, offset ${one.offset}`;
    const of = one.bucket === at ? "" : ` of bar ${told(series, one.bucket).slice(0, -3)}`;
    const after = one.known_at - one.ts;
    const made = make("p", [
      make("b", ACTION[one.action], { className: one.action === "new" ? "late" : one.action }),
      ` ${one.kind}${of} ${told(series, one.ts)} seq ${one.seq}: ${change}, known ${span(after / SECOND)} after it. `,
      make("span", where, { className: "muted" }),
    ], { className: "event" });
    Object.assign(made.dataset, { kind: one.kind, action: one.action, seq: one.seq, offset: one.offset ?? "" });
    return made;
  }

  select(bar) {
    if (bar < 0) return;
    this.selected = bar;
    this.show(this.series.buckets[bar]);
    this.draw();
    this.explain();
  }

  // The next restated bar of the day, whether in view or not.
  go(by) {
    const { restated } = this.series;
    if (!restated.length) return;
    const at = by > 0 ? restated.find((bar) => bar > this.selected) : restated.findLast((bar) => bar < this.selected);
    this.select(at ?? (by > 0 ? restated[0] : restated.at(-1)));
  }

  tables() {
    const { series, about } = this;
    const cells = (values, names = []) => make("tr", values.map((value, i) => make("td", value, { className: names[i] ?? "" })));
    $("levels").tBodies[0].replaceChildren(
      ...series.levels.map((one) => {
        const kept = one.p99_s <= one.due_s;
        return cells(
          [one.field, span(one.due_s), one.bars.toLocaleString("en"), one.bars ? percent(one.in_time / one.bars) : "–", one.bars ? span(one.p99_s) : "–",
            one.bars ? span(one.worst_s) : "–", one.changed.toLocaleString("en"), one.bars ? (kept ? "kept" : "missed") : "no bars"],
          ["", "", "wide", "", "wide", "", "", kept ? "kept" : "missed"],
        );
      }),
    );
    const missed = series.sentences.length ? series.sentences : ["Every value was in time, none changed after it was due, and no bar is missing."];
    $("sentences").replaceChildren(...missed.map((one) => make("li", one)));

    const exact = (value) => (value === null ? "NULL" : String(value));
    const same = series.served.filter(([, , ...values]) => new Set(values.map(exact)).size === 1).length;
    $("served-verdict").textContent = series.served.length
      ? `${same} of ${series.served.length} values of this series at ${series.served[0][0].slice(0, 16)} UTC are the same, to the bit. Over all series: ${about.verdict}`
      : "This series was not compared.";
    $("served").hidden = !series.served.length;
    $("served").tBodies[0].replaceChildren(
      ...series.served.map(([, field, ...values]) => {
        const [psql, ...others] = values.map(exact);
        const equal = others.every((one) => one === psql);
        const verdicts = others.map((one) => (one === psql ? "same" : one));
        const names = others.map((one) => (one === psql ? "kept" : "missed"));
        return cells([field, equal ? shown(series, series.form[field], values[0]) : psql, ...verdicts], ["", "", ...names]);
      }),
    );
    $("counts").tBodies[0].replaceChildren(...Object.entries(series.counts).map(([name, number]) => cells([name, number.toLocaleString("en")])));
    const refused = [...series.refused, ...about.refused.map(([reason, ...others]) => [`${reason} *`, ...others])];
    $("refused").tBodies[0].replaceChildren(...refused.map(([reason, number, example]) => cells([reason, number.toLocaleString("en"), example])));
    $("refused").tHead.hidden = !refused.length;
    $("refused-note").textContent = !refused.length ? "Nothing." : about.refused.length ? "* names no series here: it could not be read, or nobody has its symbol." : "";
  }

  listen() {
    const sliders = [$("as-of"), $("known-by")];
    $("as-of").addEventListener("input", () => {
      if ($("follow").checked) $("known-by").value = $("as-of").value;
      this.show(this.asOf);
      this.draw();
    });
    $("known-by").addEventListener("input", () => {
      $("follow").checked = $("known-by").value === $("as-of").value;
      this.draw();
    });
    $("follow").addEventListener("change", () => {
      if ($("follow").checked) $("known-by").value = $("as-of").value;
      this.draw();
    });
    const STEP = { ArrowLeft: -60, ArrowDown: -60, ArrowRight: 60, ArrowUp: 60, PageDown: -3600, PageUp: 3600 };
    for (const slider of sliders) {
      slider.addEventListener("keydown", (event) => {
        if (!STEP[event.key]) return;
        event.preventDefault();
        slider.value = Number(slider.value) + (event.shiftKey ? Math.sign(STEP[event.key]) : STEP[event.key]);
        slider.dispatchEvent(new Event("input"));
      });
    }
    $("largest").addEventListener("click", () => this.largest());
    $("all-known").addEventListener("click", () => {
      $("follow").checked = false;
      $("as-of").value = this.steps;
      $("known-by").value = this.steps + 1;
      this.draw();
    });
    for (const one of [$("series"), $("day")]) {
      one.addEventListener("change", () => this.open(this.find($("series").value, $("day").value)));
    }
    $("before").addEventListener("click", () => this.go(-1));
    $("after").addEventListener("click", () => this.go(1));
    $("zoom-in").addEventListener("click", () => this.zoom(0.5));
    $("zoom-out").addEventListener("click", () => this.zoom(2));
    for (const button of document.querySelectorAll("[data-hours]")) {
      button.addEventListener("click", () => {
        const length = Number(button.dataset.hours) * 60 * MINUTE || 2 * DAY;
        this.window(this.from + this.length / 2 - length / 2, length);
        this.draw();
      });
    }
    for (const button of document.querySelectorAll(".copy")) {
      button.addEventListener("click", async () => {
        const text = $(button.dataset.of);
        getSelection().selectAllChildren(text);
        // a file in a browser may have no clipboard: then the text is marked, to be copied by key
        const say = () => {
          button.textContent = "Copied";
          setTimeout(() => (button.textContent = "Copy"), 1500);
        };
        await navigator.clipboard?.writeText(text.textContent).then(say, () => null);
      });
    }

    const lane = $("lane");
    lane.addEventListener("click", (event) => {
      if (event.target.dataset.bar) this.select(Number(event.target.dataset.bar));
    });
    lane.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      this.go(by);
    });
    this.pointer();
    $("chart").addEventListener("keydown", (event) => this.key(event));
    const overview = $("overview");
    const centre = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const at = this.overviewAt(event.offsetX);
      this.window(at - this.length / 2, this.length);
      this.draw();
    };
    overview.addEventListener("pointerdown", centre);
    overview.addEventListener("pointermove", centre);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.series && this.draw()).observe($("chart"));
  }

  // Over the chart: the crosshair follows, dragging moves, a click explains, a wheel with Ctrl zooms.
  pointer() {
    const root = $("chart");
    const { chart } = this;
    let held = null;
    const place = (event) => event.clientX - root.getBoundingClientRect().left;
    const over = (x) => (x > chart.right ? -1 : this.series.barFrom(chart.at(x) + 1) - 1);
    root.addEventListener("pointerdown", (event) => {
      if (event.target.dataset.bar) return;
      held = { x: place(event), from: this.from, moved: false };
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => {
      if (!chart.state) return;
      const x = place(event);
      if (held && Math.abs(x - held.x) > 4) held.moved = true;
      if (held?.moved) {
        this.window(held.from - ((x - held.x) / chart.right) * this.length, this.length);
        return this.draw();
      }
      this.hover = over(x);
      chart.y = event.clientY - root.getBoundingClientRect().top;
      chart.state.hover = this.hover;
      chart.drawHover();
      this.readout();
    });
    root.addEventListener("pointerup", (event) => {
      if (held && !held.moved) this.select(over(place(event)));
      held = null;
    });
    root.addEventListener("pointercancel", () => (held = null));
    root.addEventListener("pointerleave", () => {
      this.hover = -1;
      chart.y = undefined;
      this.draw();
    });
    root.addEventListener("dblclick", () => {
      this.window(this.series.starts_us, 2 * DAY);
      this.draw();
    });
    root.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      if (event.ctrlKey) return this.zoom(event.deltaY > 0 ? 1.25 : 0.8, chart.at(place(event)));
      this.window(this.from + (event.deltaX / chart.right) * this.length, this.length);
      this.draw();
    }, { passive: false });
  }

  key(event) {
    const { series } = this;
    if (event.target !== $("chart")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) {
      const last = series.snapshot(this.asOf, this.knownBy).bucket;
      const start = this.hover >= 0 ? this.hover + by : last === null ? series.barFrom(this.from) : series.barFrom(last);
      this.hover = Math.max(series.barFrom(series.starts_us), Math.min(series.buckets.length - 1, start));
      this.show(series.buckets[this.hover]);
      this.chart.y = undefined;
      this.draw();
    } else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "Enter") this.select(this.hover);
    else if (event.key === "Escape") {
      this.hover = -1;
      this.draw();
    } else return;
    event.preventDefault();
  }

  // The address holds what is open and the two clocks: a reload, or somebody given it, sees the same.
  remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      const [asOf, known] = ["as-of", "known-by"].map((id) => ($(id).value === $(id).max ? "last" : $(id).value));
      const at = new URLSearchParams({ series: $("series").value, day: $("day").value, asof: asOf, known });
      history.replaceState(null, "", "#" + at);
    }, 200);
  }

  restore(at) {
    const [asOf, known] = [at.get("asof"), at.get("known")];
    if (asOf === null || known === null) return;
    $("as-of").value = asOf === "last" ? this.steps : asOf;
    $("known-by").value = known === "last" ? this.steps + 1 : known;
    $("follow").checked = $("as-of").value === $("known-by").value;
    this.show(this.asOf);
    this.draw();
  }

  // While the demo is live the file is made anew each minute: what it says then is shown.
  follow() {
    const { about, series } = this;
    const live = Math.floor(about.made_us / DAY) * DAY === series.starts_us && about.made_us - series.buckets.at(-1) < 5 * MINUTE;
    if (live && Date.now() * 1000 - about.made_us < 5 * MINUTE) setTimeout(() => location.reload(), 60000);
  }
}

const quoted = (text) => text.replaceAll("'", "''");

function percent(share) {
  // never 100 % of what is not all
  return (share === 1 ? "100" : (Math.floor(share * 1e4) / 100).toFixed(2)) + " %";
}

// What each field of each set promises.
function contractTable(fields) {
  const cell = (text, className = "") => make("td", text, { className });
  $("contract").tBodies[0].replaceChildren(
    ...fields.map((one) => {
      const row = make("tr", [
        cell([one.field, make("small", one.unit)]), cell(one.feature_set), cell(one.grain, "wide"),
        cell(span(one.due_s), "wide"), cell(span(one.stale_s), "wide"), cell(one.formula),
      ]);
      Object.assign(row.dataset, { set: one.feature_set, field: one.field });
      return row;
    }),
  );
}

// A card for each version of a model that was trained on what is here.
function modelTable(models) {
  const cell = (text, className = "") => make("td", text, { className });
  $("models").hidden = !models.length;
  $("models").querySelector("tbody").replaceChildren(
    ...models.map((one) => {
      const metrics = Object.entries(one.metrics ?? {}).filter(([, value]) => typeof value === "number");
      return make("tr", [
        cell([`${one.model} ${one.version}`, make("small", one.label ?? "")]), cell(one.aliases || "nothing yet"), cell(one.learner ?? "", "wide"),
        cell(one.rows?.toLocaleString("en") ?? ""), cell(`${(one.starts ?? "").slice(0, 16)} to ${(one.ends ?? "").slice(0, 16)}`, "wide"),
        cell(metrics.map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(", ")),
        cell([make("code", one.digest ?? ""), make("small", one.run_id ?? "")]),
      ]);
    }),
  );
}

(async () => {
  const [about] = await unpack("facts");
  const asked = new URLSearchParams(location.hash.slice(1));
  $("main").hidden = !about.days.length;
  $("empty").hidden = Boolean(about.days.length);
  if (!about.days.length) return;
  contractTable(about.sets);
  modelTable(about.models);
  if (about.left_out) $("left-out").textContent = ` ${about.left_out} more ${about.left_out === 1 ? "day of a series is" : "days of series are"} in the database; this page is full.`;
  const groups = new Map();
  for (const [tenant, symbol] of about.days) {
    if (!groups.has(tenant)) groups.set(tenant, new Set());
    groups.get(tenant).add(symbol);
  }
  for (const [tenant, symbols] of groups) {
    const options = [...symbols].map((symbol) => make("option", symbol, { value: `${tenant} ${symbol}` }));
    $("series").append(make("optgroup", options, { label: `tenant ${tenant}` }));
  }
  const page = new Page(about);
  await page.open(page.find(asked.get("series"), asked.get("day")) ?? 0);
  page.restore(asked);
  page.follow();
  requestAnimationFrame(() => performance.mark("drawn"));
})().catch((error) => {
  $("main").hidden = true;
  $("empty").hidden = false;
  $("empty").textContent = `This browser cannot draw the page: ${error.message}. Use one of 2023 or later.`;
  throw error;
});
