// --- what was measured ---------------------------------------------------------------------------

const DATA = JSON.parse(document.getElementById("data").textContent);
const CONTENDERS = DATA.contenders;
const CELLS = DATA.cells;

/** The entries of a table {fields, values} as objects that know their own number. */
function entries(table) {
  return table.values.map((values, number) => {
    const entry = { number };
    table.fields.forEach((field, place) => { entry[field] = values[place]; });
    return entry;
  });
}

const ROWS = entries(DATA.rows);
const SKIPPED = entries(DATA.skipped)
  .map((entry) => ({ ...entry, reason: DATA.skipped.reasons[entry.reason] }));

function contenderOf(row) {
  return CONTENDERS[row.contender];
}

function cellOf(row) {
  return CELLS[row.cell];
}

function executed(row) {
  return row.phase === "execute";
}

// --- numbers for people --------------------------------------------------------------------------

/** Three digits at most, without an exponent where that reads well. */
function digits(value) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3) {
    const [factor, exponent] = value.toExponential(1).split("e");
    const power = [...String(Number(exponent))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻").join("");
    return `${Number(factor) === 1 ? "" : `${Number(factor)}·`}10${power}`;
  }
  return String(Number(value.toPrecision(3)));
}

function scaled(value, units) {
  const [size, unit] = units.find(([least]) => value >= least * 0.9995) || units[units.length - 1];
  return `${Number((value / size).toPrecision(3))} ${unit}`;
}

const SECONDS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
const BYTES = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];

function secondsText(value) {
  return value === null ? "–" : scaled(value, SECONDS);
}

function bytesText(value) {
  return value === null ? "–" : value === 0 ? "0" : scaled(value, BYTES);
}

function timesText(value) {
  if (value === null) return "–";
  return `${value.toFixed(value >= 9.95 ? 0 : value >= 1.995 ? 1 : 2)}×`;
}

/** A ratio to more digits than it is stated with, for intervals. */
function fineRatio(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : value >= 2 ? 2 : 3);
}

/** `1.24–1.26`, or that nothing is known. */
function intervalText(low, high, text = fineRatio) {
  return low === null || high === null || low === 0 ? "not known" : `${text(low)} – ${text(high)}`;
}

/** An interval of times, in the unit of its lower end. */
function secondsInterval(low, high) {
  if (low === null || high === null || low === 0) return "not known";
  const [size, unit] = SECONDS.find(([least]) => low >= least) || SECONDS[SECONDS.length - 1];
  return `${(low / size).toPrecision(4)} – ${(high / size).toPrecision(4)} ${unit}`;
}

function percentText(value) {
  return value === null ? "unknown" : `${digits(100 * value)} %`;
}

/** How long a text is in the page's font, in pixels. */
const textWidth = (() => {
  const context = document.createElement("canvas").getContext("2d");
  return (text, size, weight = 400) => {
    context.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
    return context.measureText(text).width;
  };
})();

function threadsText(threads) {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

function countText(count, what, plural = `${what}s`) {
  return `${count} ${count === 1 ? what : plural}`;
}

function sizeText(cell) {
  const image = `${cell.H}×${cell.W}`;
  const kernel = `${cell.h}×${cell.w} kernel`;
  if (!cell.layer) return `${image}, ${kernel}`;
  return `${cell.K} → ${cell.C} channels, batch ${cell.N}, ${image}, ${kernel}`;
}

function modeText(cell) {
  return `${cell.cache} cache, ${cell.output} output`;
}

/** Where in the raw file a number is from. */
function tracePath(cell, row) {
  const place = row ? `.contenders[${row.place}]` : "";
  return `cells[${cell.raw}]${place}`;
}

// --- elements ------------------------------------------------------------------------------------

/** An element: h("p", {class: "x"}, "text", child). Functions become listeners. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
}

/** Text in which names between backquotes are set as names. */
function marked(text) {
  return text.split("`").map((part, place) => (place % 2 ? nameChip(part) : part));
}

/** A table in a box of its own that scrolls sideways. Columns: {text, number: right-aligned}. */
function table(columns, rows, attributes = {}) {
  const head = columns.map((column) =>
    h("th", { scope: "col", class: column.number ? "number" : "" }, column.text));
  const { label, ...others } = attributes;
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", others, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
}

/** A row of a table: texts, elements, or null for nothing known. */
function tableRow(columns, cells, attributes = {}) {
  return h("tr", attributes, ...cells.map((cell, place) =>
    h(place === 0 ? "th" : "td",
      { scope: place === 0 ? "row" : null, class: columns[place].number ? "number" : "" },
      cell === null ? "–" : cell)));
}

/** Why there is no such picture. */
function nothing(text) {
  return h("p", { class: "nothing" }, text);
}

/** Buttons of which one is chosen. Options: [[value, text]]. */
function chooser(name, legend, options, chosen, choose) {
  const buttons = options.map(([value, text]) => h("label", {},
    h("input", {
      type: "radio", name, value, checked: value === chosen, change: () => choose(value),
    }),
    h("span", {}, text)));
  return h("fieldset", { class: "chooser" }, h("legend", {}, legend),
    h("div", { class: "options" }, ...buttons));
}

// --- looks of contenders -------------------------------------------------------------------------

const unitPath = (points) => ({
  draw(context, size) {
    const r = Math.sqrt(size) * 0.62;
    points.forEach(([x, y], place) => {
      if (place) context.lineTo(x * r, y * r);
      else context.moveTo(x * r, y * r);
    });
    context.closePath();
  },
});
const regular = (corners, turn = 0) => unitPath(d3.range(corners).map((corner) => {
  const angle = (2 * Math.PI * corner) / corners - Math.PI / 2 + turn;
  return [Math.cos(angle), Math.sin(angle)];
}));
const cross = [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35],
  [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]];
const star = unitPath(d3.range(10).map((corner) => {
  const angle = (Math.PI * corner) / 5 - Math.PI / 2;
  const r = corner % 2 ? 0.5 : 1.15;
  return [r * Math.cos(angle), r * Math.sin(angle)];
}));
const turned = cross.map(([x, y]) => [(x - y) * 0.72, (x + y) * 0.72]);

const MARKS = [
  d3.symbolCircle, d3.symbolSquare, regular(3), regular(4), regular(3, Math.PI),
  unitPath(cross), star, unitPath(turned), regular(6), regular(5), regular(3, Math.PI / 2),
  regular(3, -Math.PI / 2),
];

/** By number: its family's class, its colour's class, its mark. Ours are solid, peers hollow. */
const LOOKS = (() => {
  const seen = { ours: 0, peer: 0, variant: 0, binding: 0, floor: 0 };
  return CONTENDERS.map((contender) => {
    const { kind } = contender;
    const place = seen[kind]++;
    const mark = MARKS[place % MARKS.length];
    return { kind, className: `${kind} ${kind}-${place % 12}`, mark };
  });
})();

function markPath(number, size) {
  return d3.symbol().type(LOOKS[number].mark).size(size)();
}

/** A mark as an image of its own, for running text. */
function markIcon(number) {
  const svg = d3.create("svg").attr("class", "icon").attr("viewBox", "-7 -7 14 14")
    .attr("aria-hidden", "true");
  svg.append("path").attr("class", `mark ${LOOKS[number].className}`)
    .attr("d", markPath(number, 90));
  return svg.node();
}

/** A contender's name with its mark. */
function nameTag(number, text = CONTENDERS[number].name) {
  return h("span", { class: `name ${LOOKS[number].className}`, "data-who": number },
    markIcon(number), h("span", { class: "name-text" }, text));
}

function nameChip(name) {
  const number = CONTENDERS.findIndex((contender) => contender.name === name);
  return number < 0 ? h("code", {}, name) : nameTag(number);
}
