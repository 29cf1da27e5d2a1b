// --- the table of all cells ----------------------------------------------------------------------

// By the number of the cell the row and what opens below it; the order of the cells.
const TABLE = { rows: [], lines: [], order: [] };

function cellHash(cell) {
  return [cell.case, cell.scalar, ...(cell.main ? [] : [cell.cache, cell.output])].join("/");
}

/** The cells in the order of the table: by mode, scalar, then size. */
function cellOrder() {
  return d3.range(CELLS.length).sort((a, b) => {
    const [first, second] = [CELLS[a], CELLS[b]];
    return (second.main - first.main)
      || RUN.scalars.indexOf(first.scalar) - RUN.scalars.indexOf(second.scalar)
      || (first.layer - second.layer) || (second.square - first.square)
      || first.H - second.H || first.W - second.W || first.h - second.h || first.w - second.w
      || first.K - second.K || a - b;
  });
}

const CELL_COLUMNS = [{ text: "Problem" }, { text: "Scalar" }, { text: "Mode" },
  { text: "Fastest" }, { text: "Time", number: true }, { text: "Verdict" },
  { text: "Next takes, interval", number: true }, { text: "Blocks", number: true },
  { text: "From" }];

function cellColumns() {
  const modes = CELLS.some((cell) => !cell.main);
  return CELL_COLUMNS.filter((column) => modes || column.text !== "Mode");
}

/** What the row of a cell says by the choice: texts by the head of the column. */
function cellTexts(number) {
  const cell = CELLS[number];
  const answer = answers(cell.scalar).get(number);
  const always = { Problem: openButton(number), Scalar: cell.scalar,
    Mode: `${cell.cache}, ${cell.output}`, Blocks: String(cell.blocks || "–"),
    From: traceLink(cell) };
  if (!answer) return { ...always, Verdict: whyNoAnswer(number) };
  const row = fastestOf(answer);
  const next = answer.next;
  const names = answer.level.map((place) => contenderOf(ROWS[place]).short);
  const more = names.length > 3 ? ` and ${names.length - 2} more` : "";
  const level = names.slice(0, more ? 2 : 3).join(", ") + more;
  const sign = SIGNS[answer.verdict];
  return { ...always, Fastest: nameTag(row.contender), Time: secondsText(row.seconds),
    Verdict: h("span", { class: `verdict-${answer.verdict}` }, answer.verdict,
      level ? ` ${sign} ${level}` : ""),
    "Next takes, interval": next
      ? `${timesText(next[0])} (${intervalText(next[1], next[2])})` : null };
}

function whyNoAnswer(number) {
  const phases = new Set(ROWS.filter((row) => row.cell === number).map((row) => row.phase));
  return phases.size ? [...phases].join(", ") : "nobody was measured";
}

function openButton(number) {
  return h("button", { type: "button", class: "open", "aria-expanded": "false",
    click: () => toggleCell(number) }, CELLS[number].case);
}

function startCells(body) {
  if (!CELLS.length) {
    fill(body, nothing("Nothing was measured: there are no cells."));
    return;
  }
  const columns = cellColumns();
  const order = cellOrder();
  TABLE.order = order;
  const rows = order.flatMap((number) => {
    const row = h("tr", { id: `cell-${number}`, class: "cell-row", "data-cell-row": number });
    const line = h("tr", { class: "inside", hidden: true }, h("td", { colspan: columns.length }));
    TABLE.rows[number] = row;
    TABLE.lines[number] = line;
    return [row, line];
  });
  const count = h("p", { class: "note", id: "cell-count", role: "status" });
  const filter = h("input", { type: "search", id: "cell-filter", "aria-label": "Show only",
    placeholder: "show only: 512 k7, f64, fft …", spellcheck: "false", autocomplete: "off",
    input: (event) => filterCells(event.target.value) });
  fill(body, h("div", { class: "controls" }, filter, count),
    table(columns, rows, { class: "cells", label: "All cells" }));
  paint(() => {
    order.forEach((number) => drawCellRow(number, columns));
    filterCells(filter.value);
  });
}

function drawCellRow(number, columns) {
  const texts = cellTexts(number);
  const row = TABLE.rows[number];
  const fresh = tableRow(columns, columns.map(({ text }) => texts[text] || null));
  row.replaceChildren(...fresh.children);
  row.dataset.text = searchText(number);
  if (!TABLE.lines[number].hidden) openCell(number);
}

// --- what a row opens ----------------------------------------------------------------------------

function toggleCell(number, open = TABLE.lines[number].hidden) {
  if (open) openCell(number);
  else {
    TABLE.lines[number].hidden = true;
    TABLE.rows[number].querySelector("button.open").setAttribute("aria-expanded", "false");
  }
}

function openCell(number) {
  TABLE.lines[number].hidden = false;
  TABLE.rows[number].querySelector("button.open").setAttribute("aria-expanded", "true");
  fill(TABLE.lines[number].firstElementChild, cellInside(number));
}

/** All contenders of a cell, and those that have no time. */
function cellInside(number) {
  const cell = CELLS[number];
  const answer = answers(cell.scalar).get(number);
  const ratios = new Map(answer
    ? allStandings(answer).map(({ row, ratio }) => [row.number, ratio]) : []);
  const rows = ROWS.filter((row) => row.cell === number)
    .sort((a, b) => executed(b) - executed(a) || d3.ascending(a.phase, b.phase)
      || a.seconds - b.seconds);
  const columns = [{ text: "" }, { text: "Thr.", number: true },
    { text: "Time", number: true }, { text: "95 % interval", number: true },
    { text: "× fastest", number: true }, { text: "Interval", number: true }, { text: "Is" },
    { text: "Ran" },
    { text: "Samples", number: true }, { text: "GFLOP/s", number: true },
    { text: "Of peak", number: true }, { text: "Of bandwidth", number: true },
    { text: "Of roofline", number: true },
    { text: "Workspace", number: true }, { text: "Error / bound", number: true },
    { text: "Rel. L2", number: true }, { text: "Phase" }, { text: "From" }]
    .filter(({ text }) => text !== "Phase" || rows.some((row) => !executed(row)))
    .filter(({ text }) => text !== "Ran" || rows.some(implementationOf));
  const about = [sizeText(cell), modeText(cell), `${digits(cell.multiplyAdds)} multiply-adds`,
    cell.bytes !== null && `${bytesText(cell.bytes)} of x, k and y`,
    cell.intensity !== null && `${digits(cell.intensity)} operations a byte`,
    cell.remark, cell.started && `started ${cell.started}`,
    cell.wall !== null && `${cell.wall} s in all`].filter(Boolean).join(" · ");
  return h("div", { class: "inside-box" }, h("p", { class: "about" }, about),
    ...cell.warnings.map((text) => h("p", { class: "notice" }, text)),
    table(columns, rows.map((row) => contenderRow(columns, row, ratios.get(row.number))),
      { class: "compact", label: `Contenders of ${cell.case} ${cell.scalar}` }),
    skippedLines(number));
}

function contenderRow(columns, row, ratio) {
  const cell = cellOf(row);
  const known = ratio && ratio[3] !== "fastest";
  const texts = {
    "": nameTag(row.contender),
    "Thr.": String(row.threads),
    Time: secondsText(row.seconds),
    "95 % interval": secondsInterval(row.low, row.high),
    "× fastest": ratio ? timesText(ratio[0]) : null,
    Interval: known ? intervalText(ratio[1], ratio[2]) : null,
    Is: ratio ? ratio[3] : null,
    Ran: implementationOf(row) || null,
    Samples: String(row.repetitions),
    "GFLOP/s": row.rate === null ? null : digits(row.rate),
    "Of peak": shareText(row.ofPeak),
    "Of bandwidth": shareText(row.ofBandwidth),
    "Of roofline": shareText(row.ofRoofline),
    Workspace: bytesText(row.workspace),
    "Error / bound": row.error === null ? null
      : `${digits(row.error)}${row.sampled ? " sampled" : ""}`,
    "Rel. L2": row.l2 === null ? null : digits(row.l2),
    Phase: row.phase,
    From: traceLink(cell, row, `contenders[${row.place}]`),
  };
  return tableRow(columns, columns.map(({ text }) => texts[text]), { "data-row-line": row.number });
}

/** What the contender said that it ran. */
function implementationOf(row) {
  return DATA.rows.implementations[row.implementation];
}

/** A share of what the machine can do; null where that was not measured. */
function shareText(value) {
  return value === null ? null : percentText(value);
}

function skippedLines(number) {
  const groups = new Map();
  SKIPPED.filter((entry) => entry.cell === number).forEach((entry) => {
    const key = `${entry.kind}: ${entry.reason}`;
    groups.set(key, [...(groups.get(key) || []), entry]);
  });
  if (!groups.size) return null;
  return h("ul", { class: "skipped" }, ...[...groups].map(([reason, list]) =>
    h("li", {}, h("b", {}, list.map((entry) => contenderOf(entry).name
      + (entry.threads > 1 ? ` (${threadsText(entry.threads)})` : "")).join(", ")), ` ${reason}`)));
}

// --- finding -------------------------------------------------------------------------------------

/** What a search is compared with. */
function searchText(number) {
  const cell = CELLS[number];
  const answer = answers(cell.scalar).get(number);
  const winner = answer ? contenderOf(fastestOf(answer)).name : "";
  return [cell.case, cell.scalar, cell.cache, cell.output, cell.remark, winner,
    answer ? answer.verdict : "", tracePath(cell)].join(" ").toLowerCase();
}

/** Whether all words of a search are in a text; `×` is an `x`. */
function matches(text, search) {
  return search.toLowerCase().replace(/×/g, "x").split(/\s+/).every((word) => text.includes(word));
}

/** How well a search fits the name of a case: 0 is the name itself. */
function searchRank(text, wanted) {
  const words = wanted.split(/\s+/);
  const atNumber = (word) => new RegExp(`(^|[^0-9])${word.replace(/[^\w]/g, "\\$&")}`).test(text);
  if (text === wanted) return 0;
  if (text.startsWith(wanted)) return 1;
  if (words.every(atNumber)) return 2;
  return words.every((word) => text.includes(word)) ? 3 : 4;
}

/** The cells that a search finds, those first whose name fits best. */
function findCells(search) {
  const wanted = search.trim().toLowerCase().replace(/×/g, "x");
  if (!wanted) return [];
  const rank = (number) => searchRank(CELLS[number].case.toLowerCase(), wanted);
  return TABLE.order.filter((number) => matches(TABLE.rows[number].dataset.text, wanted))
    .sort((a, b) => rank(a) - rank(b) || CELLS[b].main - CELLS[a].main
      || (CELLS[b].scalar === state.scalar) - (CELLS[a].scalar === state.scalar));
}

function filterCells(search) {
  let shown = 0;
  TABLE.rows.forEach((row, number) => {
    const hidden = !matches(row.dataset.text, search.trim());
    row.hidden = hidden;
    if (hidden) toggleCell(number, false);
    shown += !hidden;
  });
  byId("cell-count").textContent = shown === CELLS.length
    ? countText(shown, "cell") : `${shown} of ${countText(CELLS.length, "cell")}`;
}

/** Opens the row of a cell and moves there; or to one contender's line in it. */
function goToCell(number, rowNumber) {
  if (TABLE.rows[number].hidden) {
    byId("cell-filter").value = "";
    filterCells("");
  }
  openCell(number);
  const target = rowNumber === undefined ? TABLE.rows[number]
    : TABLE.lines[number].querySelector(`[data-row-line="${rowNumber}"]`) || TABLE.rows[number];
  history.replaceState(null, "", `#${cellHash(CELLS[number])}`);
  TABLE.rows[number].querySelector("button.open").focus({ preventScroll: true });
  target.scrollIntoView({ block: rowNumber === undefined ? "start" : "center" });
  document.querySelectorAll(".found").forEach((element) => element.classList.remove("found"));
  target.classList.add("found");
}

/** The cell that the address names, if any. */
function goToHash() {
  const wanted = decodeURIComponent(window.location.hash.slice(1));
  const number = CELLS.findIndex((cell) => cellHash(cell) === wanted || cell.case === wanted);
  if (number >= 0) goToCell(number);
}

const MOST_FOUND = 8;

/** The search box in the bar: a list of what is found, by arrow keys, enter and pointer. */
function startSearch() {
  const box = byId("search-box");
  const list = byId("search-list");
  let found = [];
  let chosen = 0;
  const close = () => {
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const go = (number) => {
    close();
    goToCell(number);
  };
  const draw = () => {
    const options = found.slice(0, MOST_FOUND).map((number, place) => h("li", {
      role: "option", id: `found-${place}`, "aria-selected": String(place === chosen),
      pointerdown: (event) => { event.preventDefault(); go(number); },
    }, CELLS[number].case, h("small", {}, ` ${CELLS[number].scalar}`
      + `${CELLS[number].main ? "" : `, ${modeText(CELLS[number])}`}`)));
    const more = found.length - MOST_FOUND;
    if (more > 0) options.push(h("li", { class: "more" }, `and ${more} more`));
    if (!found.length) options.push(h("li", { class: "more" }, "no such problem in this run"));
    fill(list, ...options);
    list.hidden = !box.value.trim();
    box.setAttribute("aria-expanded", String(!list.hidden));
    if (found.length) box.setAttribute("aria-activedescendant", `found-${chosen}`);
  };
  box.addEventListener("input", () => {
    found = findCells(box.value);
    chosen = 0;
    draw();
  });
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    const last = Math.min(found.length, MOST_FOUND) - 1;
    if (event.key === "Enter" && found.length) go(found[chosen]);
    else if (event.key === "ArrowDown") chosen = Math.min(last, chosen + 1);
    else if (event.key === "ArrowUp") chosen = Math.max(0, chosen - 1);
    else if (event.key === "Escape") {
      box.value = "";
      close();
    } else return;
    event.preventDefault();
    if (event.key.startsWith("Arrow")) draw();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, select, textarea");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}
