"use strict";
const $ = id => document.getElementById(id);
const states = ["critical", "warning", "unknown", "pending", "ok"];
const marks = { ok: "●", warning: "▲", critical: "◆", unknown: "?", pending: "○" };
const byNumber = ["ok", "warning", "critical", "unknown"];
const stateOf = check => check.state ?? "pending";

// All text goes through here: nothing that a target says becomes markup.
function make(tag, className, text, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}
function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...children);
  return element;
}
function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return Math.round(s * 1000) + " ms";
  if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}
const age = ms => (ms < 1000 ? "now" : ms < 60000 ? Math.floor(ms / 1000) + " s" : span(ms));
const took = ms => (ms < .05 ? "< 0.1 ms" : ms < 10 ? ms.toFixed(1) + " ms" : span(ms));
const percent = share => (share >= 1 ? "100 %" : (Math.floor(share * 1000) / 10).toFixed(1) + " %");

// --- what is known ---
const checks = new Map();     // name -> as the API says it
const histories = new Map();  // name -> {uptime, buckets, width}
const asked = new Map();  // name -> when for its history, which it may not have yet
let skew = 0;                 // the server's clock minus ours
let order = [];               // names as the server has them
let items = [];               // what the list shows: sections and checks
let current = null;           // key of the item that the keyboard is at
let opened = null;            // name of the check in the details
let filter = null, words = [], problemsFirst = false;
const collapsed = new Set();
const now = () => Date.now() + skew;

// --- the list; only rows that can be seen are in the document ---
const rows = new Map();  // key -> element
let heights = { check: 38, section: 34 };
const keyOf = item => (item.section !== undefined ? "s:" + item.section : "c:" + item.check.name);
const indexOf = key => items.findIndex(item => keyOf(item) === key);

function arrange() {
  const sections = new Map();
  const counts = Object.fromEntries(states.map(state => [state, 0]));
  if (problemsFirst) for (const state of states) sections.set(state, []);
  for (const name of order) {
    const check = checks.get(name), state = stateOf(check);
    ++counts[state];
    if (filter && filter !== state) continue;
    const text = check.search ??= [check.name, check.type, check.group, check.message ?? ""].join(" ").toLowerCase();
    if (!words.every(word => text.includes(word))) continue;
    const section = problemsFirst ? state : check.group;
    if (!sections.has(section)) sections.set(section, []);
    sections.get(section).push(check);
  }
  items = [];
  for (const [section, members] of sections) {
    if (!members.length) continue;
    const bare = section === "" && sections.size === 1;
    if (!bare) items.push({ section, sums: states.map(state => members.filter(check => stateOf(check) === state).length) });
    if (bare || !collapsed.has(section)) for (const check of members) items.push({ check });
  }
  place();
  showCounts(counts);
  $("empty").hidden = items.length > 0 || !order.length;
  $("grid").setAttribute("aria-rowcount", items.length + 1);
  if (current && indexOf(current) < 0) current = null;
  draw();
}

// Where each item begins.
function place() {
  const style = getComputedStyle(document.documentElement);
  heights = { check: parseInt(style.getPropertyValue("--row")), section: parseInt(style.getPropertyValue("--section")) };
  let top = 0;
  for (const item of items) { item.top = top; top += heightOf(item); }
  $("spacer").style.height = top + "px";
}
const heightOf = item => (item.check ? heights.check : heights.section);
// The last that begins at or above this place.
function itemAt(place) {
  let low = 0, high = items.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (items[middle].top <= place) low = middle; else high = middle;
  }
  return low;
}

function draw() {
  const top = $("scroller").scrollTop, height = $("scroller").clientHeight;
  const first = Math.max(0, itemAt(top) - 4);
  const end = Math.min(items.length, itemAt(top + height) + 5);
  const seen = new Set();
  for (let i = first; i < end; ++i) {
    const item = items[i], key = keyOf(item);
    seen.add(key);
    let element = rows.get(key);
    const version = item.check ?? item.sums.join();
    if (!element || element.version !== version || element.past !== histories.get(item.check?.name)) {
      const fresh = item.check ? checkRow(item.check) : sectionRow(item);
      if (element && item.check && element.version.state !== item.check.state) fresh.classList.add("changed");
      element?.remove();
      element = fresh;
      element.version = version;
      element.past = histories.get(item.check?.name);
      element.key = key;
      rows.set(key, element);
    }
    element.id = "row-" + i;
    element.setAttribute("aria-rowindex", i + 2);
    element.style.top = item.top + "px";
    element.classList.toggle("current", key === current);
    element.setAttribute("aria-selected", key === current);
    if (!element.isConnected) $("spacer").append(element);
  }
  for (const [key, element] of rows) if (!seen.has(key)) { element.remove(); rows.delete(key); }
  const at = current ? indexOf(current) : -1;
  if (at >= first && at < end) $("grid").setAttribute("aria-activedescendant", "row-" + at);
  else $("grid").removeAttribute("aria-activedescendant");
  tick();
  askForHistories();
}

function cell(className, text, ...children) {
  const element = make("span", className, text, ...children);
  element.setAttribute("role", "gridcell");
  return element;
}
function mark(state) {
  const element = make("span", "mark", marks[state]);
  element.setAttribute("aria-hidden", "true");
  return element;
}
function checkRow(check) {
  const state = stateOf(check), past = histories.get(check.name);
  const row = make("div", "row " + state);
  row.setAttribute("role", "row");
  const name = cell("name", check.name);
  name.title = check.name;
  const message = check.state ? check.message : "has not run yet";
  const now = check.state && check.result !== check.state ? "now " + check.result + ": " : "";
  row.append(cell("state", undefined, mark(state), make("span", "word", state)), name, cell("type", check.type),
    cell("message", now + message), cell("history", undefined, ...(past ? [strip(past.buckets, 96, 18)] : [])),
    cell("latency", undefined, ...(past ? [curve(past.buckets, 96, 20)] : [])),
    cell("num uptime", past ? percent(past.uptime) : ""),
    cell("num took", check.state ? took(check.duration_ms) : ""), cell("num age", ""));
  return row;
}
function sectionRow({ section, sums: counts }) {
  const row = make("div", "row section");
  row.setAttribute("role", "row");
  row.setAttribute("aria-expanded", !collapsed.has(section));
  const sums = make("span", "sums");
  states.forEach((state, i) => { if (counts[i]) sums.append(make("span", state, counts[i] + " " + state)); });
  row.append(cell("", undefined, make("span", "turn", collapsed.has(section) ? "▸ " : "▾ "),
    make("span", "title", section === "" ? "No group" : section)), cell("", undefined, sums));
  return row;
}

// Bars of the last hours, in the colour of the worst that was in each.
function strip(buckets, width, height) {
  const step = width / buckets.length, paths = { none: "" };
  buckets.forEach(([runs, , , worst], i) => {
    const kind = runs ? byNumber[worst] : "none", low = runs ? 0 : height * .35;
    paths[kind] = (paths[kind] ?? "") + `M${(i * step).toFixed(2)} ${low}h${(step * .72).toFixed(2)}V${height - low}h${(-step * .72).toFixed(2)}z`;
  });
  const bad = buckets.filter(([runs, failed]) => runs && failed).length;
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "none", role: "img",
    "aria-label": bad ? `failures in ${bad} of ${buckets.length} intervals` : "no failures" },
    ...Object.entries(paths).map(([kind, d]) => svg("path", { class: "f-" + kind, d })));
}
function curve(buckets, width, height) {
  const most = Math.max(...buckets.map(([, , ms]) => ms), 1e-6), step = width / (buckets.length - 1);
  let line = "", area = "", begin = null;
  buckets.forEach(([runs, , ms], i) => {
    if (!runs) return;
    const x = (i * step).toFixed(1), y = (height - 2 - ms / most * (height - 4)).toFixed(1);
    const joined = i > 0 && buckets[i - 1][0] > 0;
    if (!joined) begin = x;
    line += (joined ? "L" : "M") + x + " " + y + (joined || buckets[i + 1]?.[0] ? "" : "h1.5");
    area += (joined ? "L" : `M${x} ${height}L`) + x + " " + y;
    if (!buckets[i + 1]?.[0]) area += `V${height}H${begin}z`;
  });
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "none", role: "img",
    "aria-label": "latency up to " + took(most) }, svg("path", { class: "area", d: area }), svg("path", { class: "curve", d: line }));
}

function tick() {
  for (const element of rows.values()) {
    const check = element.version;
    if (check.checked) element.lastChild.textContent = age(now() - check.checked);
  }
}

// --- counts, filters ---
const chips = Object.fromEntries(states.map(state => {
  const chip = make("button", "chip " + state, undefined, mark(state), make("b", "", "0"), state);
  chip.setAttribute("aria-pressed", "false");
  chip.addEventListener("click", () => {
    filter = filter === state ? null : state;
    for (const other of states) chips[other].setAttribute("aria-pressed", filter === other);
    $("scroller").scrollTop = 0;
    arrange();
  });
  $("filters").append(chip);
  return [state, chip];
}));
let worstShown = null;
function showCounts(counts) {
  for (const state of states) {
    chips[state].querySelector("b").textContent = counts[state];
    chips[state].classList.toggle("some", counts[state] > 0);
    chips[state].hidden = counts[state] === 0 && filter !== state && (state === "pending" || state === "unknown");
  }
  document.title = (counts.critical ? counts.critical + " critical · " : counts.warning ? counts.warning + " warning · " : "") + "Health";
  const worst = states.find(state => counts[state]) ?? "pending";
  if (worst === worstShown) return;
  worstShown = worst;
  const colour = { critical: "dc4a3f", warning: "e0a020", unknown: "8b6fd6", pending: "8a94a3", ok: "3aa873" }[worst];
  $("icon").href = `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="%23${colour}"/></svg>`;
}

// --- details ---
function open(name) {
  opened = name;
  showDetails();
  $("details").hidden = false;
  draw();
  $("details").focus({ preventScroll: true });
  askForHistories();
}
function close() {
  if (opened === null) return;
  opened = null;
  $("details").hidden = true;
  draw();
  $("grid").focus();
}
function showDetails() {
  const check = checks.get(opened);
  if (!check) return close();
  const state = stateOf(check), past = histories.get(check.name), focused = document.activeElement?.id === "details-close";
  const closer = make("button", "tool", "Close");
  closer.id = "details-close";
  closer.setAttribute("aria-label", "Close the details (Esc)");
  closer.addEventListener("click", close);
  const title = make("h2", "", check.name);
  title.id = "details-name";
  const facts = make("dl");
  const fact = (what, text) => facts.append(make("dt", "", what), make("dd", "", text));
  fact("Type", check.type);
  if (check.group) fact("Group", check.group);
  if (check.state) {
    const date = ms => new Date(ms).toLocaleString();
    if (check.result !== check.state) fact("Last result", check.result);
    fact("Since", date(check.since));
    fact("Checked", date(check.checked));
    fact("Took", took(check.duration_ms));
    fact("Runs", check.runs.toLocaleString());
    if (past) fact("Uptime", percent(past.uptime) + " of the last 4 hours");
    if (/[1-9a-f]/.test(check.run)) fact("Run", check.run);
  }
  const parts = [make("div", "top", undefined, make("div", state, undefined,
    make("span", "state", undefined, mark(state), state), title), closer)];
  if (check.state) parts.push(make("div", "said " + state, check.message || "–"));
  if (past) {
    const hours = Math.round(past.buckets.length * past.width / 3600);
    const scale = (left, right) => make("div", "scale", undefined, make("span", "", left), make("span", "", right));
    parts.push(make("h3", "", "State"), strip(past.buckets, 380, 28), scale(hours + " h ago", "now"), make("h3", "", "Latency"),
      curve(past.buckets, 380, 80), scale("", "up to " + took(Math.max(...past.buckets.map(bucket => bucket[2])))));
  }
  parts.push(make("h3", "", "Facts"), facts);
  if (check.figures?.length) {
    const figures = make("dl");
    for (const figure of check.figures) {
      const value = figure.value === null ? "–" : figure.value.toLocaleString(undefined, { maximumSignificantDigits: 6 });
      figures.append(make("dt", "", figure.name), make("dd", "", value + (figure.unit ? " " + figure.unit : "")));
    }
    parts.push(make("h3", "", "Figures"), figures);
  }
  $("details").replaceChildren(...parts);
  if (focused) closer.focus({ preventScroll: true });
}

// --- keyboard and pointer ---
function moveTo(index) {
  if (!items.length) return;
  index = Math.max(0, Math.min(items.length - 1, index));
  current = keyOf(items[index]);
  const scroller = $("scroller"), { top } = items[index], bottom = top + heightOf(items[index]);
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  draw();
}
function activate(item) {
  if (item.check) return open(item.check.name);
  if (!collapsed.delete(item.section)) collapsed.add(item.section);
  rows.get(keyOf(item))?.remove();
  rows.delete(keyOf(item));
  arrange();
}
$("grid").addEventListener("keydown", event => {
  const at = indexOf(current), page = Math.max(1, Math.floor($("scroller").clientHeight / heights.check) - 1);
  const steps = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, Home: 0, End: items.length - 1, PageDown: at + page, PageUp: at - page };
  if (event.key in steps) moveTo(steps[event.key]);
  else if (event.key === "Enter" && at >= 0) activate(items[at]);
  else return;
  event.preventDefault();
});
$("spacer").addEventListener("click", event => {
  const row = event.target.closest(".row");
  if (!row) return;
  current = row.key;
  $("grid").focus({ preventScroll: true });
  draw();
  activate(items[indexOf(row.key)]);
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && !$("ask").open) {
    if (opened !== null) close();
    else if ($("search").value) { $("search").value = ""; search(); }
    else if (document.activeElement === $("search")) $("grid").focus();
  } else if (event.key === "/" && document.activeElement !== $("search") && !$("ask").open && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $("search").focus();
    $("search").select();
  }
});
function search() {
  words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  $("scroller").scrollTop = 0;
  arrange();
}
$("search").addEventListener("input", search);
$("search").addEventListener("keydown", event => {
  if (event.key !== "ArrowDown" && event.key !== "Enter") return;
  event.preventDefault();
  $("grid").focus();
  moveTo(Math.max(0, items.findIndex(item => item.check)));
});
$("scroller").addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
addEventListener("resize", () => { place(); draw(); });

// --- what the browser remembers ---
function setting(name, value) {
  try {
    if (value === undefined) return localStorage.getItem("health-" + name);
    localStorage.setItem("health-" + name, value);
  } catch { /* it may be forbidden */ }
  return null;
}
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
}
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
setTheme(setting("theme") ?? (prefersDark.matches ? "dark" : "light"));
prefersDark.addEventListener("change", () => setting("theme") ?? setTheme(prefersDark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setting("theme", theme);
  setTheme(theme);
});
function setProblemsFirst(on) {
  problemsFirst = on;
  $("problems").setAttribute("aria-pressed", on);
}
setProblemsFirst(setting("problems") === "true");
$("problems").addEventListener("click", () => {
  setProblemsFirst(!problemsFirst);
  setting("problems", problemsFirst);
  $("scroller").scrollTop = 0;
  arrange();
});

// --- from the server ---
const sleep = ms => new Promise(done => setTimeout(done, ms));
async function api(path, signal) {
  for (;;) {
    const token = sessionStorage.getItem("health-token");
    const answer = await fetch(path, { signal, cache: "no-store", headers: token ? { Authorization: "Bearer " + token } : {} });
    if (answer.status !== 401) return answer;
    if (sessionStorage.getItem("health-token") === token) await askForToken(token !== null);
  }
}
let asking = null;
function askForToken(wrong) {
  return asking ??= new Promise(done => {
    if (wrong) $("ask-why").textContent = "That token is not the right one.";
    $("token").value = "";
    $("ask").addEventListener("close", () => {
      sessionStorage.setItem("health-token", $("token").value);
      asking = null;
      done();
    }, { once: true });
    $("ask").showModal();
  });
}

let wanted = null;
function askForHistories() {
  wanted ??= setTimeout(async () => {
    wanted = null;
    const names = [...rows.values()].map(row => row.version.name).filter(Boolean);
    if (opened !== null) names.unshift(opened);
    const stale = [...new Set(names)].filter(name => !(asked.get(name) > Date.now() - 30000)).slice(0, 40);
    let query = "";
    const asking = [];
    for (const name of stale) {
      if (query.length >= 3500) break;
      query += (query ? "&" : "") + "name=" + encodeURIComponent(name);
      asking.push(name);
    }
    if (!query) return;
    try {
      const answer = await api("/api/v1/history?" + query);
      const { bucket_seconds, checks: found } = await answer.json();
      for (const name of asking) asked.set(name, Date.now());
      for (const name in found) histories.set(name, { ...found[name], width: bucket_seconds });
    } catch { return; }
    if (opened !== null) showDetails();
    draw();
  }, 120);
}
setInterval(() => { tick(); askForHistories(); }, 1000);

function take(message) {
  skew = message.time - Date.now();
  const before = checks.size;
  if (message.all) { checks.clear(); order = message.checks.map(check => check.name); }
  let spoken = "";
  for (const check of message.checks) {
    const old = checks.get(check.name);
    if (old && old.state !== check.state && check.state) spoken = `${check.name} is ${check.state}: ${check.message}`;
    if (!old?.state && check.state) asked.delete(check.name);  // its history begins
    checks.set(check.name, check);
  }
  if (spoken) $("spoken").textContent = spoken;
  if (message.all && before) {
    for (const past of [histories, asked]) for (const name of past.keys()) if (!checks.has(name)) past.delete(name);
  }
  arrange();
  if (opened !== null && (message.all || message.checks.some(check => check.name === opened))) showDetails();
}
function live(state, text) {
  if ($("live").dataset.state === state) return;
  $("live").dataset.state = state;
  $("live").textContent = text;
}

// fetch() and not EventSource, which cannot send the token.
async function follow() {
  const control = new AbortController();
  let quiet;
  const heard = () => { clearTimeout(quiet); quiet = setTimeout(() => control.abort(), 40000); };
  try {
    const answer = await api("/api/v1/events", control.signal);
    if (answer.status === 503) {  // too many streams: ask now and then
      const status = await api("/api/v1/status");
      if (status.ok) { take(await status.json()); live("live", "every 5 s"); }
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let parts = [];;) {
      heard();
      const { value, done } = await reader.read();
      if (done) throw new Error("closed");
      parts.push(value);
      if (!value.includes("\n")) continue;
      const events = parts.join("").split("\n\n");
      parts = [events.pop()];
      for (const event of events) if (event.startsWith("data: ")) { take(JSON.parse(event.slice(6))); live("live", "live"); }
    }
  } catch {
    live("lost", "reconnecting");
  } finally {
    clearTimeout(quiet);
  }
}
(async () => {
  $("host").textContent = location.host;
  for (;;) { await follow(); await sleep(document.hidden ? 5000 : 2000); }
})();
