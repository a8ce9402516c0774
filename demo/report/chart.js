// The chart: panels on one time axis, drawn on a canvas; a second one above it has the crosshair.
"use strict";

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720].map((minutes) => minutes * MINUTE);
const CANDLES = [1, 2, 5, 10, 15, 30, 60].map((minutes) => minutes * MINUTE);
const FONT = "11px system-ui, sans-serif";
const LANE = 20;
// A candle is drawn of these four, whatever else the contract has; of a contract without one of them
// its prices are lines. A vendor's bar, market.bar, has its prices by the same names.
const CANDLE = ["open", "high", "low", "close"];
const LINES = 6;
const WORDS = 6;
// how a price and a size of a tick are told
const PRICE = { kind: "price" };
const AMOUNT = { kind: "amount" };

// What is drawn for a contract: its prices on one panel, then what stands on zero as sticks, then
// other numbers as lines, and behind these the words that follow them in the contract.
function panelsOf(contract) {
  const isOf = (...kinds) => (one) => kinds.includes(one.kind);
  const prices = contract.filter(isOf("price"));
  const others = contract.filter((one) => !isOf("price", "word")(one));
  const isStick = (one) => one.kind === "amount" || one.bounds?.[0] < 0;
  const panels = [...others.filter(isStick), ...others.filter((one) => !isStick(one))].map((one) => (
    { name: one.field, form: one, fields: [one.field], isStick: isStick(one), word: null }
  ));
  if (prices.length) {
    const hasCandles = CANDLE.every((name) => prices.some((one) => one.field === name));
    const drawn = prices.filter((one) => !hasCandles || !CANDLE.includes(one.field));
    // over the candles what reads other bars, below them what is the bar's own
    const lines = [...drawn.filter((one) => one.is_window), ...drawn.filter((one) => !one.is_window)];
    panels.unshift({ name: "price", form: PRICE, fields: prices.map((one) => one.field), hasCandles, lines });
  }
  contract.filter(isOf("word")).forEach((word) => {
    const before = contract.slice(0, contract.indexOf(word)).findLast((one) => others.includes(one));
    const panel = panels.find((one) => one.form && one.form === before);
    if (panel && !panel.word) panel.word = word;
    else panels.push({ name: word.field, form: null, fields: [], word });
  });
  return panels;
}

const clocks = new Map();
function clockIn(zone, seconds) {
  const key = zone + seconds;
  if (!clocks.has(key)) {
    const second = seconds ? { second: "2-digit" } : {};
    clocks.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", ...second, hourCycle: "h23" }));
  }
  return (at) => clocks.get(key).format(at / 1000);
}

// Round steps of an axis: 1, 2 or 5 times a power of ten, about count of them.
function ticksOf(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue("--" + name).trim() });
}

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = height + "px";
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = FONT;
  return pen;
}

class Chart {
  constructor(root) {
    this.root = root;
    [this.canvas, this.over] = root.querySelectorAll("canvas");
  }

  // state: series, asOf, knownBy, from, to, hover (a bar's index or -1), selected (a bar's index or -1).
  draw(state) {
    const width = this.root.clientWidth;
    const narrow = width < 560;
    this.narrow = narrow;
    this.state = state;
    this.colour = colours();
    this.width = width;
    const measure = this.canvas.getContext("2d");
    measure.font = FONT;
    this.right = width - Math.max(narrow ? 54 : 68, measure.measureText(placeOf(state.series.zone)).width + 8);
    const zones = state.series.zone === "UTC" ? 1 : 2;
    const [ofPrices, ofWords, ofOthers] = narrow ? [210, 70, 44] : [300, 92, 56];
    let top = 0;
    this.panels = panelsOf(state.series.about.contract);
    this.panels.forEach((panel, place) => {
      const height = panel.form === PRICE ? ofPrices : panel.word ? ofWords : ofOthers;
      Object.assign(panel, { top: top + 16, bottom: top + 16 + height });
      top = panel.bottom + (place === 0 ? LANE : 4);
    });
    this.candle = MINUTE;
    this.laneTop = this.panels[0].bottom;
    this.bottom = this.panels.at(-1).bottom;
    this.height = this.bottom + 8 + 15 * zones;
    this.pen = sized(this.canvas, width, this.height);
    this.read();
    for (const panel of this.panels) this.drawPanel(panel);
    this.drawTimes();
    this.drawMoments();
    this.drawHover();
    // what a canvas does not tell: the panels, and the range of time and prices that is drawn
    const { from, to } = state;
    const panels = this.panels.map((one) => one.name).join(" ");
    Object.assign(this.root.dataset, { panels, from, to, low: this.panels[0].low, high: this.panels[0].high });
  }

  x(at) {
    return ((at - this.state.from) / (this.state.to - this.state.from)) * this.right;
  }

  at(x) {
    return this.state.from + (x / this.right) * (this.state.to - this.state.from);
  }

  // The bars in view: the version known then (-1: none), and the one known now.
  read() {
    const { series, asOf, knownBy, from, to } = this.state;
    this.bars = [];
    const end = series.barFrom(to);
    for (let bar = Math.max(0, series.barFrom(from - MINUTE)); bar < end; bar++) {
      const at = series.buckets[bar];
      if (at < series.starts_us) continue;
      const then = at + MINUTE <= asOf ? series.version(bar, knownBy) : -1;
      this.bars.push({ bar, at, then, now: series.version(bar, Infinity) });
    }
    this.barWidth = this.x(from + MINUTE);
  }

  values(fields) {
    const found = [];
    const column = this.state.series.column;
    for (const { then, now } of this.bars) {
      for (const field of fields) {
        if (then >= 0) found.push(column[field][then]);
        if (now >= 0) found.push(column[field][now]);
      }
    }
    return found.filter((one) => !Number.isNaN(one));
  }

  drawPanel(panel) {
    const { pen, colour } = this;
    const { form, word } = panel;
    const isPrices = form === PRICE;
    const found = this.values(panel.fields);
    let low = found.reduce((a, b) => Math.min(a, b), Infinity);
    let high = found.reduce((a, b) => Math.max(a, b), -Infinity);
    if (form?.bounds) [low, high] = form.bounds;
    else if (!isPrices) low = Math.min(0, low);
    if (!(high > low)) [low, high] = Number.isFinite(low) ? [low - 1, low + 1] : [0, 1];
    const pad = isPrices ? 0.06 * (high - low) : 0;
    panel.low = low - pad;
    panel.high = high + (pad || (form?.bounds ? 0 : 0.08 * (high - low)));
    panel.y = (value) => panel.bottom - ((value - panel.low) / (panel.high - panel.low)) * (panel.bottom - panel.top);

    pen.save();
    pen.beginPath();
    pen.rect(0, panel.top, this.right, panel.bottom - panel.top);
    pen.clip();
    if (word) this.drawWords(panel);
    pen.restore();

    const [ticks, digits] = form ? ticksOf(panel.low, panel.high, isPrices ? 6 : 3) : [[], 0];
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (const value of ticks) {
      const y = Math.round(panel.y(value)) + 0.5;
      pen.fillStyle = colour.grid;
      pen.fillRect(0, y, this.right, 1);
      pen.fillStyle = colour.muted;
      const text = form.kind === "amount" ? compact(value) : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      pen.fillText(text, this.right + 6, y);
    }
    pen.save();
    pen.beginPath();
    pen.rect(0, panel.top, this.right, panel.bottom - panel.top);
    pen.clip();
    const of = (place) => colour[`line-${(place % LINES) + 1}`];
    if (isPrices) {
      const draw = (over) => panel.lines.forEach((one, place) => one.is_window === over && this.drawLine(panel, one.field, of(place), over ? 1.6 : 1));
      draw(false);
      if (panel.hasCandles) this.drawCandles(panel);
      draw(true);
      this.drawEvents(panel);
    } else if (panel.isStick) this.drawSticks(panel);
    else if (form) this.drawLine(panel, panel.name, colour.ink, this.barWidth < 2 ? 1 : 1.3);
    pen.restore();

    pen.textBaseline = "alphabetic";
    pen.fillStyle = colour.muted;
    const y = panel.top - 5;
    if (isPrices) {
      const minutes = this.candle / MINUTE;
      let x = this.label(minutes === 1 ? "one-minute bars" : `candles of ${minutes} one-minute bars`, 0, y, colour.muted);
      panel.lines.forEach((one, place) => (x = this.label(one.field, x, y, of(place))));
    } else if (word) {
      let x = this.label(panel.name, 0, y, colour.ink);
      if (form && !this.narrow) x = this.label(`over ${word.field}:`, x - 6, y, colour.muted);
      this.state.series.words[word.field].forEach((one, place) => {
        pen.fillStyle = this.ofWord(place);
        pen.fillRect(x, y - 9, 9, 11);
        pen.strokeStyle = colour.line;
        pen.strokeRect(x + 0.5, y - 8.5, 8, 10);
        x = this.label(one, x + 12, y, colour.muted) - (this.narrow ? 4 : 0);
      });
    } else this.label(panel.name, 0, y, colour.muted);
  }

  ofWord(place) {
    return this.colour[`word-${(place % WORDS) + 1}`];
  }

  label(text, x, y, colour) {
    this.pen.fillStyle = colour;
    this.pen.textAlign = "left";
    this.pen.fillText(text, x, y);
    return x + this.pen.measureText(text).width + 10;
  }

  // Candles of as many bars as make them wide enough to be seen.
  drawCandles(panel) {
    const { series } = this.state;
    const [open, high, low, close] = CANDLE.map((name) => series.column[name]);
    this.candle = CANDLES.find((one) => this.x(this.state.from + one) >= 3.5) ?? CANDLES.at(-1);
    const candles = new Map();
    const add = (at, side, v) => {
      if (v < 0) return;
      if (!candles.has(at)) candles.set(at, { differs: false });
      const found = candles.get(at);
      const one = found[side];
      if (!one) found[side] = { open: open[v], high: high[v], low: low[v], close: close[v] };
      else Object.assign(one, { high: Math.max(one.high, high[v]), low: Math.min(one.low, low[v]), close: close[v] });
    };
    for (const { at, then, now } of this.bars) {
      const start = at - (at % this.candle);
      // a candle that had begun is compared as far as it was known; the rest is ahead
      add(start, then < 0 && at + MINUTE > this.state.asOf ? "ahead" : "now", now);
      add(start, "then", then);
    }
    const width = this.x(this.state.from + this.candle);
    const body = Math.max(1, Math.min(width * 0.68, 14));
    const draw = (at, one, colour, hollow) => {
      const { pen } = this;
      const middle = this.x(at) + width / 2;
      const [top, bottom] = [panel.y(Math.max(one.open, one.close)), panel.y(Math.min(one.open, one.close))];
      pen.fillStyle = pen.strokeStyle = colour;
      if (hollow) {
        pen.lineWidth = 1.5;
        pen.strokeRect(middle - body / 2 - 1.5, top - 1, body + 3, Math.max(1, bottom - top) + 2);
        pen.beginPath();
        pen.moveTo(middle, panel.y(one.high));
        pen.lineTo(middle, top - 1);
        pen.moveTo(middle, bottom + 1);
        pen.lineTo(middle, panel.y(one.low));
        pen.stroke();
      } else {
        pen.fillRect(middle - 0.5, panel.y(one.high), 1, Math.max(1, panel.y(one.low) - panel.y(one.high)));
        pen.fillRect(middle - body / 2, top, body, Math.max(1, bottom - top));
      }
    };
    for (const [at, { then, now, ahead }] of candles) {
      if (!then) {
        this.pen.globalAlpha = 0.5;
        for (const one of [now, ahead]) if (one) draw(at, one, this.colour.ahead, false);
        this.pen.globalAlpha = 1;
        continue;
      }
      draw(at, then, then.close >= then.open ? this.colour.up : this.colour.down, false);
      if (!now || CANDLE.some((name) => then[name] !== now[name])) {
        draw(at, now ?? then, this.colour.now, true);
      }
    }
  }

  // Solid: known then. Where it differs, or was not known then, what is known now.
  drawLine(panel, field, colour, thick) {
    const column = this.state.series.column[field];
    const { pen } = this;
    const path = (from, to, style, alpha, dash) => {
      pen.strokeStyle = style;
      pen.globalAlpha = alpha;
      pen.setLineDash(dash);
      pen.lineWidth = thick;
      pen.beginPath();
      let drawn = null;
      this.bars.forEach((one, i) => {
        const v = from(one);
        const value = v < 0 ? NaN : column[v];
        if (Number.isNaN(value) || !to(one, i)) return void (drawn = null);
        const x = this.x(one.at + MINUTE / 2);
        // a line is broken where ten minutes or more have no bar
        if (drawn === null || one.at - drawn > 10 * MINUTE) pen.moveTo(x, panel.y(value));
        else pen.lineTo(x, panel.y(value));
        drawn = one.at;
      });
      pen.stroke();
      pen.setLineDash([]);
      pen.globalAlpha = 1;
    };
    const differs = ({ then, now }) => then >= 0 && now >= 0 && column[then] !== column[now] && !(Number.isNaN(column[then]) && Number.isNaN(column[now]));
    const near = (one, i) => differs(one) || (i > 0 && differs(this.bars[i - 1])) || (i + 1 < this.bars.length && differs(this.bars[i + 1]));
    path((one) => one.now, (one) => one.then < 0, this.colour.ahead, 0.8, []);
    path((one) => one.now, near, this.colour.now, 1, [3, 2]);
    path((one) => one.then, () => true, colour, 1, []);
  }

  drawSticks(panel) {
    const column = this.state.series.column[panel.name];
    const { [CANDLE[0]]: open, [CANDLE[3]]: close } = this.state.series.column;
    const { pen } = this;
    const width = Math.max(1, Math.min(this.barWidth * 0.68, 14));
    const zero = panel.y(0);
    const stick = (at, value, style, hollow) => {
      if (Number.isNaN(value)) return;
      const x = this.x(at + MINUTE / 2) - width / 2;
      const y = panel.y(value);
      pen.fillStyle = pen.strokeStyle = style;
      pen.lineWidth = 1.5;
      if (hollow) pen.strokeRect(x - 1, Math.min(y, zero), width + 2, Math.max(1, Math.abs(zero - y)));
      else pen.fillRect(x, Math.min(y, zero), width, Math.max(0.5, Math.abs(zero - y)));
    };
    for (const { at, then, now } of this.bars) {
      if (then < 0) {
        pen.globalAlpha = 0.5;
        if (now >= 0) stick(at, column[now], this.colour.ahead, false);
        pen.globalAlpha = 1;
        continue;
      }
      // a size has no sign of its own: as its candle, where there are candles
      const rising = panel.form.bounds || !this.panels[0].hasCandles ? column[then] >= 0 : close[then] >= open[then];
      pen.globalAlpha = 0.75;
      stick(at, column[then], rising ? this.colour.up : this.colour.down, false);
      pen.globalAlpha = 1;
      if (now >= 0 && column[now] !== column[then] && this.barWidth > 2.5) stick(at, column[now], this.colour.now, true);
    }
  }

  // A rectangle for each run of bars with one word, as they are narrower than a pixel over a day.
  drawWords(panel) {
    const { series } = this.state;
    const runs = [];
    for (const { at, then, now } of this.bars) {
      const v = then >= 0 ? then : now;
      const word = v < 0 ? NaN : series.column[panel.word.field][v];
      const run = runs.at(-1);
      if (run && Object.is(run.word, word) && run.known === then >= 0 && at - run.end < 10 * MINUTE) run.end = at + MINUTE;
      else runs.push({ word, known: then >= 0, at, end: at + MINUTE });
    }
    for (const { word, known, at, end } of runs) {
      if (Number.isNaN(word)) continue;
      this.pen.globalAlpha = known ? 1 : 0.45;
      this.pen.fillStyle = this.ofWord(word);
      this.pen.fillRect(this.x(at), panel.top, this.x(end) - this.x(at), panel.bottom - panel.top);
    }
    this.pen.globalAlpha = 1;
  }

  // A corrected trade is drawn at its first price with a line to the new one.
  drawEvents(panel) {
    const { pen } = this;
    const size = this.candle === MINUTE ? 4.5 : 3.2;
    for (const one of this.state.series.events) {
      if (one.kind !== "trade" || one.ts < this.state.from || one.ts > this.state.to) continue;
      const x = this.x(one.ts);
      const y = panel.y((one.was ?? one.tick).price);
      pen.globalAlpha = one.known_at <= this.state.knownBy ? 1 : 0.35;
      pen.fillStyle = pen.strokeStyle = this.colour[one.action === "new" ? "late" : one.action];
      pen.lineWidth = 1.5;
      pen.beginPath();
      if (one.action === "new") {
        pen.moveTo(x, y - size);
        pen.lineTo(x + size, y + size);
        pen.lineTo(x - size, y + size);
        pen.fill();
      } else if (one.action === "correction") {
        pen.moveTo(x, y - size);
        pen.lineTo(x + size, y);
        pen.lineTo(x, y + size);
        pen.lineTo(x - size, y);
        pen.fill();
        if (one.tick) {
          pen.beginPath();
          pen.moveTo(x, y);
          pen.lineTo(x, panel.y(one.tick.price));
          pen.stroke();
        }
      } else {
        for (const slope of [-1, 1]) {
          pen.moveTo(x - size, y - slope * size);
          pen.lineTo(x + size, y + slope * size);
        }
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  drawTimes() {
    const { pen, colour, right } = this;
    const { from, to, series } = this.state;
    const step = STEPS.find((one) => this.x(from + one) >= 64) ?? STEPS.at(-1);
    const zones = series.zone === "UTC" ? ["UTC"] : ["UTC", series.zone];
    zones.forEach((zone, row) => {
      const clock = clockIn(zone, false);
      const y = this.bottom + 15 + 15 * row;
      pen.textAlign = "center";
      pen.fillStyle = colour.muted;
      for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
        const x = this.x(at);
        if (row === 0) {
          pen.fillStyle = colour.grid;
          for (const panel of this.panels) pen.fillRect(Math.round(x), panel.top, 1, panel.bottom - panel.top);
          pen.fillStyle = colour.muted;
        }
        if (x > 14 && x < right - 14) pen.fillText(clock(at), x, y);
      }
      pen.textAlign = "left";
      pen.fillText(placeOf(zone), right + 6, y);
    });
    pen.fillStyle = colour.line;
    pen.fillRect(0, this.bottom, right, 1);
  }

  // Where the two clocks stand; what had not happened is shaded.
  drawMoments() {
    const { pen, colour } = this;
    const { asOf, knownBy, from, to } = this.state;
    const line = (at, style, dash) => {
      if (at < from || at > to) return;
      const x = Math.round(this.x(at)) + 0.5;
      pen.strokeStyle = style;
      pen.lineWidth = 1;
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(x, this.panels[0].top);
      pen.lineTo(x, this.bottom);
      pen.stroke();
      pen.setLineDash([]);
    };
    if (asOf < to) {
      pen.fillStyle = colour.shade;
      const x = Math.max(0, this.x(asOf));
      pen.fillRect(x, this.panels[0].top, this.right - x, this.bottom - this.panels[0].top);
    }
    if (knownBy !== asOf) line(knownBy, colour.now, [4, 3]);
    line(asOf, colour.accent, []);
  }

  drawHover() {
    const pen = sized(this.over, this.width, this.height);
    const { series, hover, selected } = this.state;
    const stripe = (bar, style, alpha) => {
      const x = this.x(series.buckets[bar]);
      if (x < -this.barWidth || x > this.right) return;
      pen.fillStyle = style;
      pen.globalAlpha = alpha;
      pen.fillRect(x, this.panels[0].top, Math.max(2, this.barWidth), this.bottom - this.panels[0].top);
      pen.globalAlpha = 1;
    };
    if (selected >= 0) stripe(selected, this.colour.now, 0.16);
    if (hover < 0) return;
    const x = Math.round(this.x(series.buckets[hover] + MINUTE / 2)) + 0.5;
    pen.strokeStyle = this.colour.muted;
    pen.setLineDash([2, 2]);
    pen.beginPath();
    pen.moveTo(x, this.panels[0].top);
    pen.lineTo(x, this.bottom);
    if (this.y !== undefined) {
      pen.moveTo(0, this.y);
      pen.lineTo(this.right, this.y);
    }
    pen.stroke();
    pen.setLineDash([]);
    const tag = (text, left, top, align) => {
      const wide = pen.measureText(text).width + 8;
      const start = Math.max(0, Math.min(align === "center" ? left - wide / 2 : left, this.width - wide));
      pen.fillStyle = this.colour.ink;
      pen.fillRect(start, top, wide, 15);
      pen.fillStyle = this.colour.card;
      pen.textBaseline = "middle";
      pen.fillText(text, start + 4, top + 8);
    };
    tag(clockIn("UTC", false)(series.buckets[hover]), x, this.bottom + 3, "center");
    if (series.zone !== "UTC") tag(clockIn(series.zone, false)(series.buckets[hover]), x, this.bottom + 18, "center");
    const panel = this.y !== undefined && this.panels.find((one) => this.y >= one.top && this.y <= one.bottom);
    if (panel?.form) {
      const value = panel.low + ((panel.bottom - this.y) / (panel.bottom - panel.top)) * (panel.high - panel.low);
      tag(shown(series, panel.form, value), this.right + 2, this.y - 7, "left");
    }
  }
}

// The city of a zone, by which a trader names it.
function placeOf(zone) {
  return zone.split("/").at(-1).replace("_", " ");
}

function compact(value) {
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}

// A value in digits that mean something: prices by the instrument's tick, what is made of them one
// digit finer. Beside another one that differs, as many more as show that it does.
// form: a line of the contract, or PRICE, or AMOUNT.
function shown(series, form, value, beside = value, more = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value === "string") return value;
  const fixed = (digits) =>
    value.toLocaleString("en", { minimumFractionDigits: digits + more, maximumFractionDigits: digits + more });
  const tick = Math.max(series.tick_size === 1 ? 0 : 2, Math.ceil(-Math.log10(series.tick_size ?? 1) - 1e-9));
  const bounded = () => (form.bounds[0] < 0 && value > 0 ? "+" : "") + fixed(Math.max(0, 4 - Math.ceil(Math.log10(form.bounds[1] - form.bounds[0]))));
  const text = {
    price: () => fixed(form.is_derived ? tick + 1 : tick),
    points: () => fixed(3),
    amount: () => value.toLocaleString("en", { maximumFractionDigits: 4 + more }),
    number: () => (form.bounds ? bounded() : value.toLocaleString("en", { minimumSignificantDigits: 4 + more, maximumSignificantDigits: 4 + more })),
  }[form.kind]();
  if (beside === value || typeof beside !== "number" || more > 12) return text;
  const other = shown(series, form, beside, beside, more);
  return text === other ? shown(series, form, value, beside, more + 1) : text;
}
