// --- the map of image size × kernel size ---------------------------------------------------------

const AS_IMAGE = Infinity; // the row of kernels as large as the image

/** Squares of the chosen scalar by place: {n: image, k: kernel or AS_IMAGE, cell, answer}. */
function mapSquares() {
  const known = answers();
  const fixed = new Set(CELLS.filter((cell) => cell.square && cell.h !== cell.H)
    .map((cell) => cell.h));
  return CELLS
    .map((cell, number) => ({ cell, number, n: cell.H, k: fixed.has(cell.h) ? cell.h : AS_IMAGE }))
    .filter(({ cell }) => cell.square && cell.main && cell.scalar === state.scalar)
    .filter(({ cell }) => fixed.has(cell.h) || cell.h === cell.H)
    .map((square) => ({ ...square, answer: known.get(square.number) }));
}

/** Sizes in pixels of a map with so many columns and these rows. */
function mapLayout(width, columns, kernels) {
  const left = 46;
  const gap = 8; // above the kernels of fixed size, below those as large as the image
  const rows = kernels.length;
  const cellWidth = Math.min(132, Math.floor((width - left) / columns));
  const cellHeight = cellWidth >= 62 ? 50 : 40;
  const top = 22;
  return {
    left, top, cellWidth, cellHeight, wide: cellWidth >= 62,
    x: (place) => left + place * cellWidth,
    y: (place) => top + (rows - 1 - place) * cellHeight
      + (kernels[place] === AS_IMAGE ? 0 : kernels[rows - 1] === AS_IMAGE ? gap : 0),
    width: left + columns * cellWidth + 2,
    height: top + rows * cellHeight + gap + 40,
  };
}

function drawMap(element, width) {
  const squares = mapSquares();
  byId("panel").hidden = !CELLS.length;
  if (!squares.length) {
    fill(element, nothing(CELLS.length ? "This run has no square images with square kernels: "
      + "its problems are in the table of all cells." : "There is nothing to show."));
    fill(byId("map-key"));
    if (CELLS.length) showPanel(TABLE.order.find((number) => answers().has(number)) || 0);
    return;
  }
  const images = [...new Set(squares.map((square) => square.n))].sort(d3.ascending);
  const kernels = [...new Set(squares.map((square) => square.k))].sort(d3.ascending);
  const layout = mapLayout(width, images.length, kernels);
  const svg = d3.create("svg").attr("class", "map").attr("role", "grid")
    .attr("aria-label", `The fastest by image and kernel, ${choiceText()}. Arrow keys move.`)
    .attr("width", layout.width).attr("height", layout.height)
    .attr("viewBox", `0 0 ${layout.width} ${layout.height}`);
  const patterns = svg.append("defs");
  drawMapAxes(svg, layout, images, kernels);
  const places = new Map();
  kernels.forEach((k, row) => {
    const g = svg.append("g").attr("role", "row");
    squares.filter((square) => square.k === k).forEach((square) => {
      const place = { ...square, column: images.indexOf(square.n), row };
      places.set(`${place.column} ${row}`, place);
      drawSquare(g, patterns, layout, place);
    });
  });
  drawBoundaries(svg, layout, places);
  element.replaceChildren(svg.node());
  startMapKeys(svg.node(), places);
  drawMapKey(squares);
  const shown = squares.find((square) => square.number === state.cell)
    || squares.find((square) => square.n === 512 && square.k === 7)
    || squares[Math.floor(squares.length / 2)];
  setCurrent(svg.node(), shown.number);
  showPanel(shown.number);
}

function drawMapAxes(svg, layout, images, kernels) {
  const write = (cls, x, y, text, anchor) => svg.append("text").attr("class", cls)
    .attr("x", x).attr("y", y).attr("text-anchor", anchor).attr("aria-hidden", "true").text(text);
  const size = layout.cellWidth < 36 ? 10 : 12;
  const bottom = layout.y(0) + layout.cellHeight;
  images.forEach((n, place) =>
    write("tick", layout.x(place) + layout.cellWidth / 2, bottom + 16, n, "middle")
      .style("font-size", `${size}px`));
  kernels.forEach((k, place) => {
    const text = k === AS_IMAGE ? "image" : k;
    write("tick", layout.left - 6, layout.y(place) + layout.cellHeight / 2 + 4, text, "end");
  });
  write("axis-label", layout.width - 2, bottom + 34, "image: rows = columns →", "end");
  write("axis-label", 0, 12, "↑ kernel: rows = columns", "start");
}

/** A pattern of stripes in the colours of two contenders; its reference. */
function stripes(patterns, first, second) {
  const id = `stripes-${first}-${second}`;
  if (patterns.select(`#${id}`).empty()) {
    const pattern = patterns.append("pattern").attr("id", id).attr("width", 14).attr("height", 14)
      .attr("patternUnits", "userSpaceOnUse").attr("patternTransform", "rotate(45)");
    [first, second].forEach((number, place) => {
      pattern.append("rect").attr("class", "paper").attr("x", 7 * place).attr("width", 7)
        .attr("height", 14);
      pattern.append("rect").attr("class", `area ${LOOKS[number].className}`)
        .attr("x", 7 * place).attr("width", 7).attr("height", 14);
    });
  }
  return `url(#${id})`;
}

/** A pattern of dots on pale ground; its reference. */
function dots(patterns, number) {
  const id = `dots-${number}`;
  if (patterns.select(`#${id}`).empty()) {
    const pattern = patterns.append("pattern").attr("id", id).attr("width", 7).attr("height", 7)
      .attr("patternUnits", "userSpaceOnUse");
    pattern.append("rect").attr("class", "paper").attr("width", 7).attr("height", 7);
    pattern.append("circle").attr("class", `dot ${LOOKS[number].className}`)
      .attr("cx", 3.5).attr("cy", 3.5).attr("r", 1.5);
  }
  return `url(#${id})`;
}

function squareLabel({ cell, answer }) {
  const where = `${cell.H} by ${cell.W}, kernel ${cell.h} by ${cell.w}`;
  if (!answer) return `${where}: nobody here was measured`;
  const row = fastestOf(answer);
  const level = answer.level.map((number) => contenderOf(ROWS[number]).name).join(", ");
  const ratio = answer.next;
  const next = ratio ? `; next takes ${timesText(ratio[0])}` : "";
  return `${where}: ${contenderOf(row).name}, ${secondsText(row.seconds)}, `
    + `${VERDICTS[answer.verdict]}${level ? ` from ${level}` : ""}${next}`;
}

function drawSquare(parent, patterns, layout, square) {
  const { answer, number } = square;
  const look = answer ? LOOKS[fastestOf(answer).contender] : null;
  const g = parent.append("g").attr("role", "gridcell").attr("tabindex", -1)
    .attr("class", `square ${answer ? `${answer.verdict} ${look.className}` : "empty"}`)
    .attr("transform", `translate(${layout.x(square.column)},${layout.y(square.row)})`)
    .attr("data-cell", number).attr("data-place", `${square.column} ${square.row}`)
    .attr("aria-label", squareLabel(square));
  const box = (cls, inset) => g.append("rect").attr("class", cls).attr("x", inset).attr("y", inset)
    .attr("width", layout.cellWidth - 2 * inset).attr("height", layout.cellHeight - 2 * inset)
    .attr("rx", 2);
  const ground = box("ground", 1);
  if (!answer) {
    g.append("text").attr("class", "square-none").attr("x", layout.cellWidth / 2)
      .attr("y", layout.cellHeight / 2 + 4).attr("text-anchor", "middle").text("–");
  } else {
    const winner = fastestOf(answer).contender;
    if (answer.verdict === "tie") {
      ground.style("fill", stripes(patterns, winner, ROWS[answer.level[0]].contender));
    } else if (answer.verdict === "unresolved") {
      ground.style("fill", dots(patterns, winner));
    }
    if (look.kind === "peer" || answer.verdict === "alone") box("rim", 2.25);
    drawSquareText(g, layout, answer, winner);
  }
  box("focus-ring", 0.5);
}

const SIGNS = { clear: "", tie: "=", unresolved: "?", alone: "only" };

/** Who it is, and by how much: a mark and a name where there is room, else a mark and a code. */
function drawSquareText(g, layout, answer, winner) {
  const middle = layout.cellWidth / 2;
  const contender = CONTENDERS[winner];
  const ratio = answer.next;
  const lead = { clear: ratio && timesText(ratio[0]), tie: "=", unresolved: "?", alone: "only" };
  const plain = answer.verdict === "clear" || answer.verdict === "alone";
  const [name, under] = layout.wide
    ? [fitted(contender.short, layout.cellWidth - 8), lead[answer.verdict]]
    : [[contender.code], SIGNS[answer.verdict]];
  const rest = layout.wide ? levelText(answer, under, layout.cellWidth - 26) : under;
  const lines = [...name, rest].filter(Boolean);
  const step = layout.wide ? 13 : 12;
  const first = layout.cellHeight / 2 + 4 - ((lines.length - 1) * step) / 2;
  const last = lines.length - 1;
  const marked = (place) => layout.wide && place === last; // the mark stands before the last line
  if (!plain) {
    const widest = Math.min(layout.cellWidth - 4, d3.max(lines, (line, place) =>
      textWidth(line, 12, place ? 400 : 650) + (marked(place) ? 22 : 6)));
    g.append("rect").attr("class", "label-ground").attr("rx", 3)
      .attr("x", middle - widest / 2).attr("width", widest)
      .attr("y", first - 11).attr("height", lines.length * step + 3);
  }
  lines.forEach((line, place) => {
    g.append("text").attr("class", place === last && last ? "square-lead" : "square-name")
      .attr("text-anchor", "middle").attr("y", first + place * step)
      .attr("x", middle + (marked(place) ? 7 : 0)).text(line);
    if (marked(place)) {
      g.append("path").attr("class", "square-mark").attr("d", markPath(winner, 30))
        .attr("transform", `translate(${middle - textWidth(line, 11) / 2 - 3},`
          + `${first + place * step - 4})`);
    }
  });
}

/** What follows the winner's name: its lead, or those that it is level with, within some room. */
function levelText(answer, lead, room) {
  if (answer.verdict === "clear" || answer.verdict === "alone") return lead;
  const [first, ...others] = answer.level.map((number) => CONTENDERS[ROWS[number].contender]);
  const more = others.length ? ` +${others.length}` : "";
  const long = `${lead} ${first.short}${more}`;
  return textWidth(long, 11) <= room ? long : `${lead} ${first.code}${more}`;
}

/** A name in one line or, cut at an underscore, in two that fit. */
function fitted(name, room) {
  const fits = (text) => textWidth(text, 12, 650) <= room;
  const shortened = (text) => {
    let length = text.length;
    while (length > 3 && !fits(`${text.slice(0, length)}…`)) length -= 1;
    return fits(text) ? text : `${text.slice(0, length)}…`;
  };
  if (fits(name) || !name.includes("_")) return [shortened(name)];
  const cut = name.indexOf("_");
  return [name.slice(0, cut), name.slice(cut + 1)].map(shortened);
}

/** Lines between neighbours where both are clear and different. */
function drawBoundaries(svg, layout, places) {
  const winner = (place) => (place && place.answer && place.answer.verdict === "clear"
    ? fastestOf(place.answer).contender : null);
  const parts = [];
  places.forEach((place) => {
    const mine = winner(place);
    if (mine === null) return;
    const right = winner(places.get(`${place.column + 1} ${place.row}`));
    const over = places.get(`${place.column} ${place.row + 1}`);
    const above = over && over.k !== AS_IMAGE ? winner(over) : null; // the last row is apart
    const x = layout.x(place.column);
    const y = layout.y(place.row);
    if (right !== null && right !== mine) {
      parts.push(`M${x + layout.cellWidth},${y}v${layout.cellHeight}`);
    }
    if (above !== null && above !== mine) parts.push(`M${x},${y}h${layout.cellWidth}`);
  });
  svg.append("path").attr("class", "boundary halo").attr("d", parts.join(""));
  svg.append("path").attr("class", "boundary").attr("d", parts.join(""));
}

// --- the key -------------------------------------------------------------------------------------

function keySwatch(verdict, looks) {
  const svg = d3.create("svg").attr("class", "swatch").attr("viewBox", "0 0 34 22")
    .attr("aria-hidden", "true");
  const patterns = svg.append("defs");
  const [first, second] = looks;
  const g = svg.append("g").attr("class", `square ${verdict} ${LOOKS[first].className}`);
  const rect = g.append("rect").attr("class", "ground").attr("x", 1).attr("y", 1)
    .attr("width", 32).attr("height", 20).attr("rx", 2);
  if (verdict === "tie") rect.style("fill", stripes(patterns, first, second));
  if (verdict === "unresolved") rect.style("fill", dots(patterns, first));
  if (verdict === "alone") {
    g.append("rect").attr("class", "rim").attr("x", 2.25).attr("y", 2.25).attr("width", 29.5)
      .attr("height", 17.5);
  }
  if (verdict === "boundary") {
    rect.remove();
    svg.append("path").attr("class", "boundary").attr("d", "M17,1v20");
  }
  return svg.node();
}

/** Who is in the map and how often; how verdicts are drawn. */
function drawMapKey(squares) {
  const answered = squares.filter((square) => square.answer);
  const counts = new Map();
  answered.forEach(({ answer }) => {
    const winner = fastestOf(answer).contender;
    counts.set(winner, (counts.get(winner) || 0) + 1);
  });
  const winners = [...counts].map(([number, count]) => ({ number, count }))
    .sort((a, b) => b.count - a.count);
  const who = winners.map(({ number, count }) => h("li", {},
    nameTag(number), h("span", { class: "code" }, CONTENDERS[number].code), ` ${count}`));
  const verdicts = new Set(answered.map((square) => square.answer.verdict));
  const solid = winners.length ? winners[0].number : 0;
  const other = winners.length > 1 ? winners[1].number : solid;
  const texts = {
    clear: "clear; × is what the next takes",
    tie: "= tie: equal within 2 %",
    unresolved: "? unresolved: not told apart",
    alone: "only one was measured",
  };
  const how = Object.entries(texts).filter(([verdict]) => verdicts.has(verdict))
    .map(([verdict, text]) => h("li", {}, keySwatch(verdict, [solid, other]), text));
  if (document.querySelector("#map .boundary[d^=M]")) {
    how.push(h("li", {}, keySwatch("boundary", [solid]), "boundary, clear on both sides"));
  }
  const hollow = winners.some(({ number }) => LOOKS[number].kind === "peer");
  const families = hollow && RUN.groups.length > 1
    ? h("p", {}, "Ours are filled, peers pale with a rim and a hollow mark.") : null;
  fill(byId("map-key"),
    h("ul", { class: "who", "aria-label": "Cells each is fastest in" }, ...who),
    h("ul", { class: "how", "aria-label": "How to read the map" }, ...how), families);
}

// --- moving about --------------------------------------------------------------------------------

/** Makes a square the one that the tab key reaches. */
function setCurrent(svg, number) {
  svg.querySelectorAll(".square[tabindex]").forEach((square) => {
    const current = Number(square.dataset.cell) === number;
    square.setAttribute("tabindex", current ? 0 : -1);
    square.classList.toggle("current", current);
    square.setAttribute("aria-selected", current);
  });
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** The next square in a direction, over gaps. */
function neighbour(places, [column, row], [dx, dy]) {
  for (let step = 1; step <= 40; step += 1) {
    const found = places.get(`${column + step * dx} ${row + step * dy}`);
    if (found) return found;
  }
  return null;
}

function startMapKeys(svg, places) {
  const squareOf = (event) => event.target.closest(".square[data-cell]");
  const show = (square) => {
    const number = Number(square.dataset.cell);
    state.cell = number;
    setCurrent(svg, number);
    showPanel(number);
  };
  svg.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch" && squareOf(event)) show(squareOf(event));
  });
  svg.addEventListener("focusin", (event) => { if (squareOf(event)) show(squareOf(event)); });
  svg.addEventListener("click", (event) => {
    const square = squareOf(event);
    if (!square) return;
    show(square);
    // On a touch screen the first tap shows the panel below the map, which has the way to the row.
    if (!window.matchMedia("(pointer: coarse)").matches) goToCell(Number(square.dataset.cell));
  });
  svg.addEventListener("keydown", (event) => {
    const square = squareOf(event);
    if (!square) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      goToCell(Number(square.dataset.cell));
    } else if (STEPS[event.key]) {
      event.preventDefault();
      const next = neighbour(places, square.dataset.place.split(" ").map(Number), STEPS[event.key]);
      if (next) svg.querySelector(`[data-cell="${next.number}"]`).focus();
    }
  });
}

// --- the panel beside the map --------------------------------------------------------------------

const RATIO_WORDS = { fastest: "", equal: "equal", unresolved: "?", slower: "", faster: "" };

function standingRow(columns, { row, ratio }) {
  const [estimate, low, high, verdict] = ratio;
  const known = verdict === "fastest" ? "" : intervalText(low, high);
  const threads = row.threads > 1 ? h("small", {}, threadsText(row.threads)) : null;
  return tableRow(columns, [
    h("span", { class: "pair" }, nameTag(row.contender, contenderOf(row).short), threads),
    h("span", { class: "pair" }, secondsText(row.seconds),
      h("small", {}, secondsInterval(row.low, row.high))),
    h("span", { class: "pair" }, `${timesText(estimate)} ${RATIO_WORDS[verdict]}`.trim(),
      h("small", {}, known)),
  ], { class: verdict });
}

/** Everything about a cell that fits beside the map. */
function showPanel(number) {
  const cell = CELLS[number];
  const answer = answers(cell.scalar).get(number);
  const heading = h("h3", {}, cell.case);
  const about = h("p", { class: "about" }, choiceText(), h("br"),
    `${countText(cell.blocks, "block")} · `, traceLink(cell));
  const button = h("button", { type: "button", class: "to-row", click: () => goToCell(number) },
    "Go to its row");
  if (!answer) {
    const none = nothing("Nobody in this choice was measured here.");
    fill(byId("panel"), heading, about, none, button);
    return;
  }
  const columns = [{ text: "" }, { text: "Time (95 % interval)", number: true },
    { text: "× fastest (interval)", number: true }];
  fill(byId("panel"), heading,
    h("p", { class: "verdict" },
      `${contenderOf(fastestOf(answer)).name}: ${VERDICTS[answer.verdict]}`),
    about,
    table(columns, standings(answer).map((standing) => standingRow(columns, standing)),
      { class: "compact", label: `Contenders of ${cell.case}` }),
    notMeasured(number),
    button);
}

/** Who of this cell has no time: names by reason. */
function notMeasured(number) {
  const here = SKIPPED.filter((entry) =>
    entry.cell === number && executed(entry) && entry.threads === 1 && inGroup(entry));
  if (!here.length) return null;
  const names = here.map((entry) => contenderOf(entry).short).join(", ");
  return h("p", { class: "about" }, `No time: ${names}; the row says why.`);
}

/** A link to the raw file that says where in it a number is. */
function traceLink(cell, row, text = tracePath(cell, row)) {
  return h("a", { href: RUN.rawName || "raw.json", class: "trace",
    title: `${tracePath(cell, row)} of ${RUN.rawName || "raw.json"}` }, text);
}
