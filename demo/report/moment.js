// What was known: the versions of a series, and feature_pit_snapshot() over them.
// Clocks are microseconds since 1970 UTC, which a double holds exactly.
"use strict";

const SECOND = 1e6;
const MINUTE = 60 * SECOND;
const DAY = 1440 * MINUTE;

async function unpack(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const all = new Uint8Array(await new Response(stream).arrayBuffer());
  const length = new DataView(all.buffer).getUint32(0, true);
  return [JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length))), all.subarray(4 + length)];
}

// The inverse of pack.py: first bytes of all doubles first, each what differs from the one before.
function column(planes, rows) {
  const bytes = new Uint8Array(8 * rows);
  for (let place = 0; place < 8; place++) {
    for (let row = 0, last = 0; row < rows; row++) {
      last ^= planes[place * rows + row];
      bytes[8 * row + place] = last;
    }
  }
  return new Float64Array(bytes.buffer);
}

const EVENT = ["kind", "action", "bucket", "ts", "seq", "was", "tick", "known_at", "told_at", "topic", "partition", "offset"];

class Series {
  constructor(facts, columns, about) {
    Object.assign(this, facts);
    this.about = about;
    this.column = {};
    facts.names.forEach((name, place) => {
      this.column[name] = column(columns.subarray(place * 8 * facts.versions), facts.versions);
    });
    this.form = Object.fromEntries(about.contract.map((one) => [one.field, one]));
    // a version that says nothing at all says that the bar has gone
    const values = about.contract.map(({ field }) => this.column[field]);
    this.gone = Array.from({ length: facts.versions }, (_, v) => values.every((one) => Number.isNaN(one[v])));
    this.events = facts.events.map((row) => Object.fromEntries(EVENT.map((name, i) => [name, row[i]])));
    // versions of bar i are first[i] .. first[i + 1] - 1, oldest first
    const bucket = this.column.bucket;
    this.first = [];
    for (let v = 0; v < bucket.length; v++) if (v === 0 || bucket[v] !== bucket[v - 1]) this.first.push(v);
    this.buckets = this.first.map((v) => bucket[v]);
    this.first.push(bucket.length);
    // all bars that the day's bars are made from; of some before it the page has only the starts
    this.read = [...facts.earlier, ...this.buckets.filter((at) => at >= facts.starts_us)];
    const published = Math.floor(about.published_us / SECOND) * SECOND;
    this.ends = Math.max(this.starts_us + MINUTE, Math.min(this.starts_us + DAY, published));
    this.restated = this.buckets
      .map((at, bar) => bar)
      .filter((bar) => this.buckets[bar] >= this.starts_us && this.first[bar + 1] - this.first[bar] > 1);
  }

  // Index of the first bar that starts at or after a moment.
  barFrom(at, buckets = this.buckets) {
    let low = 0;
    for (let high = buckets.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (buckets[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The newest version of a bar that was known, -1 if none was or the bar had gone.
  version(bar, knownBy) {
    let v = this.first[bar + 1] - 1;
    while (v >= this.first[bar] && this.column.known_at[v] > knownBy) v--;
    return v < this.first[bar] || this.gone[v] ? -1 : v;
  }

  value(v, field) {
    const found = v < 0 ? NaN : this.column[field][v];
    if (Number.isNaN(found)) return null;
    return field in this.words ? this.words[field][found] : found;
  }

  // As in SQL: of the versions known, the newest of each bar; of these bars, the last that closed.
  snapshot(asOf, knownBy) {
    const known = Math.min(knownBy, this.about.published_us);
    let v = -1;
    for (let bar = this.barFrom(asOf - MINUTE + 1) - 1; bar >= 0 && v < 0; bar--) v = this.version(bar, known);
    const stale = this.about.contract.map((one) => one.stale_s * SECOND);
    const age = v < 0 ? Infinity : this.tradingAge(this.column.bucket[v] + MINUTE, asOf, Math.min(...stale));
    const found = v >= 0 && age <= Math.max(...stale);
    const answer = {
      bucket: found ? this.column.bucket[v] : null,
      known_at: found ? this.column.known_at[v] : null,
      is_stale: age > Math.min(...stale),
    };
    this.about.contract.forEach((one, place) => {
      answer[one.field] = age <= stale[place] ? this.value(v, one.field) : null;
    });
    return answer;
  }

  // A bar that looks too old may be so only by the clock: the hours count in which its market traded.
  tradingAge(closed, asOf, shortest) {
    if (asOf - closed <= shortest || this.sessions === null) return asOf - closed;
    let age = 0;
    for (const [opens, closes] of this.sessions) {
      age += Math.max(0, Math.min(asOf, closes) - Math.max(closed, opens));
    }
    return age;
  }

  // The ticks behind a version, as feature.explain_restatement() names them.
  eventsOf(v) {
    const at = this.column.bucket[v];
    const { minutes, bars } = this.about.reach;
    const last = this.barFrom(at - minutes * MINUTE + 1, this.read) - 1;
    const from = last < 0 ? at - minutes * MINUTE : this.read[Math.max(0, last - bars)];
    return this.events.filter(
      (one) =>
        one.told_at === this.column.known_at[v] && one.bucket <= at && one.bucket >= from &&
        (one.kind === "trade" || one.bucket === at),
    );
  }

  changes(v) {
    return this.about.contract
      .map(({ field }) => ({ field, was: this.value(v - 1, field), is: this.value(v, field) }))
      .filter(({ was, is }) => was !== is);
  }

  // The bar that a restatement changed most, by the contract's lead: by a tick that came a minute late
  // or more, if there is one, as milliseconds surprise nobody. Without such a change the first that was
  // restated.
  mostRestated() {
    const { [this.about.lead]: lead, known_at: known } = this.column;
    const largest = (wait) => {
      let [most, change] = [-1, 0];
      for (const bar of this.restated) {
        const first = this.first[bar];
        for (let v = first + 1; v < this.first[bar + 1]; v++) {
          const by = Math.abs(lead[v] / lead[v - 1] - 1);
          if (by > change && known[v] - known[first] >= wait) [most, change] = [bar, by];
        }
      }
      return most;
    };
    const late = largest(MINUTE);
    const any = late < 0 ? largest(0) : late;
    return any < 0 ? (this.restated[0] ?? -1) : any;
  }
}
