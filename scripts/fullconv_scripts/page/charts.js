// --- small multiples: time, ratio, rate and workspace against size -------------------------------

/** What a panel can show of a row; `interval` where it has one. */
const MEASURES = {
  seconds: {
    text: "Time", axis: "seconds a call", format: secondsText,
    value: ({ row }) => row.seconds, interval: ({ row }) => [row.low, row.high],
  },
  ratio: {
    text: "× fastest", axis: "times the fastest’s time", format: (v) => `${digits(v)}×`,
    value: ({ ratio }) => ratio[0], interval: ({ ratio }) => [ratio[1], ratio[2]],
  },
  rate: {
    text: "GFLOP/s", axis: "nominal GFLOP/s", format: digits,
    value: ({ row }) => row.rate, interval: () => [null, null],
  },
  workspace: {
    text: "Workspace", axis: "bytes of workspace", format: bytesText,
    value: ({ row }) => row.workspace, interval: () => [null, null],
    ticks: ([low, high]) => d3.range(0, 45, 5).map((power) => 2 ** power)
      .filter((value) => value >= low && value <= high),
  },
};

/** Answers on squares by kernel: [{title, answers}], small kernels first. */
function kernelSeries() {
  const squares = mainAnswers({ layers: false }).filter((answer) => CELLS[answer.cell].square);
  const byKernel = new Map();
  const add = (key, answer) => byKernel.set(key, [...(byKernel.get(key) || []), answer]);
  squares.forEach((answer) => {
    const { h: side, H: image } = CELLS[answer.cell];
    add(side, answer);
    if (side === image) add(AS_IMAGE, answer);
  });
  return [...byKernel].filter(([, list]) => list.length >= 2)
    .sort(([a], [b]) => a - b)
    .map(([side, list]) => ({
      title: side === AS_IMAGE ? "kernel as large as the image" : `${side}×${side} kernel`,
      answers: list.sort((a, b) => CELLS[a.cell].H - CELLS[b.cell].H),
    }));
}

/** Points of each contender along a series. */
function curves(series, measure) {
  const found = new Map();
  series.answers.forEach((answer) => {
    const level = new Set([answer.field[0], ...answer.level]);
    standings(answer).forEach((standing) => {
      const value = measure.value(standing);
      if (value === null) return;
      const curve = found.get(standing.row.contender)
        || { contender: standing.row.contender, points: [], leads: false };
      curve.leads = curve.leads || level.has(standing.row.number);
      curve.points.push({ ...standing, x: CELLS[answer.cell].H, value,
        interval: measure.interval(standing) });
      found.set(curve.contender, curve);
    });
  });
  return [...found.values()];
}

/** One panel: a curve an algorithm. `zero`: how a value of zero is named, below the axis. */
function drawPanel(element, width, series, measure, all) {
  const lines = curves(series, measure);
  const room = endRoom(lines.map((line) => line.contender));
  const margin = { top: 40, right: Math.min(room, width * 0.36), bottom: 38, left: 52 };
  const height = Math.max(250, 92 + 14.5 * lines.length);
  const svg = newSvg(width, height, `${measure.text}, ${series.title}, ${choiceText()}: `
    + "the numbers are in the table of all cells");
  svg.append("text").attr("class", "panel-title").attr("x", 2).attr("y", 14).text(series.title);
  const sizes = series.answers.map((answer) => CELLS[answer.cell].H);
  const values = all || lines.flatMap((line) => line.points.map((p) => p.value));
  const range = logRange(values, 0.06);
  const zeros = values.some((value) => value === 0);
  const bottom = height - margin.bottom;
  const x = d3.scaleLog(logRange(sizes, 0.03), [margin.left, width - margin.right]);
  const scale = d3.scaleLog(range, [bottom - (zeros ? 18 : 0), margin.top]);
  const y = (value) => (value > 0 ? scale(value) : bottom - 4);
  y.range = () => [bottom, margin.top];
  const yTicks = measure.ticks ? measure.ticks(range) : logTicks(range, 6);
  axes(svg, {
    x, y, xTicks: [...new Set(sizes)], yTicks: zeros ? [0, ...yTicks] : yTicks,
    xText: String, yText: measure.format, xLabel: "image: rows = columns", yLabel: measure.axis,
  });
  lines.sort((a, b) => a.leads - b.leads).forEach((line) => drawCurve(svg, line, x, y));
  const ends = lines.map(({ contender, points, leads }) => {
    const last = points[points.length - 1];
    return { contender, x: x(last.x), y: y(last.value), faint: !leads };
  });
  endLabels(svg, ends, width - margin.right + 2, margin.top, bottom);
  element.append(svg.node());
}

function drawCurve(svg, { contender, points, leads }, x, y) {
  const g = svg.append("g").attr("class", `curve ${leads ? "" : "faint"}`)
    .attr("data-who", contender);
  const path = d3.line().x((p) => x(p.x)).y((p) => y(p.value));
  g.append("path").attr("class", `line ${LOOKS[contender].className}`)
    .attr("data-who", contender).attr("d", path(points));
  points.forEach((p) => {
    const [low, high] = p.interval;
    if (low > 0 && high !== null) {
      whisker(g, p.row, [x(p.x), inside(y, low)], [x(p.x), inside(y, high)]);
    }
    const ratio = `${timesText(p.ratio[0])} the fastest’s time`;
    point(g, p.row, x(p.x), y(p.value), rowTip(p.row, ratio), leads ? 30 : 18);
  });
}

function panelGrid(columns) {
  return h("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, 1fr)` });
}

/** Panels side by side, as many as fit. */
function drawPanels(element, width, list, measure, sameRange) {
  const columns = width >= 1000 ? 3 : width >= 640 ? 2 : 1;
  const each = Math.floor((width - (columns - 1) * 20) / columns);
  const all = sameRange
    ? list.flatMap((series) => curves(series, measure).flatMap((c) => c.points.map((p) => p.value)))
    : null;
  const grid = panelGrid(columns);
  list.forEach((series) => drawPanel(grid, each, series, measure, all));
  element.replaceChildren(grid);
}

function startTime(body) {
  let chosen = "seconds";
  const pictures = h("div");
  let width = 0;
  const draw = () => {
    const list = kernelSeries();
    if (!list.length) fill(pictures, nothing("No kernel was run on two or more square images."));
    else drawPanels(pictures, width, list, MEASURES[chosen], chosen === "ratio");
  };
  const options = ["seconds", "ratio", "rate"].map((name) => [name, MEASURES[name].text]);
  fill(body, chooser("measure", "Show", options, chosen, (value) => { chosen = value; draw(); }),
    pictures);
  responsive(pictures, (now) => { width = now; draw(); });
}

function startMemory(body) {
  responsive(body, (width) => {
    const list = kernelSeries();
    if (!list.length) {
      fill(body, nothing("No kernel was run on two or more square images."));
      return;
    }
    const places = [...new Set([0, Math.floor(list.length / 2), list.length - 1])];
    drawPanels(body, width, places.map((place) => list[place]), MEASURES.workspace, true);
  });
}

// --- roofline ------------------------------------------------------------------------------------

/** A floor's rate with the chosen threads, or with fewer where that was not measured. */
function floorRate(name, scalar) {
  const fitting = DATA.floors.filter((floor) => floor.name === name && floor.rate
    && floor.threads <= state.threads && (!scalar || floor.scalar === scalar));
  return fitting.sort((a, b) => b.threads - a.threads)[0];
}

function startRoofline(body) {
  responsive(body, (width) => {
    const peak = floorRate("fma_peak", state.scalar);
    const floors = [["copy", "copying, large"], ["copy_l2", "copying, second-level cache"]]
      .map(([name, text]) => [floorRate(name), text]).filter(([floor]) => floor);
    const found = [...mainAnswers({ layers: false }), ...mainAnswers({ layers: true })];
    if (!peak || !found.length) {
      fill(body, nothing(peak ? "Nothing was measured in this choice."
        : "The machine’s peak was not measured in this run."));
      return;
    }
    drawRoofline(body, width, found, peak, floors);
  });
}

function drawRoofline(body, width, found, peak, floors) {
  const points = found.flatMap((answer) => standings(answer).map(({ row }, place) => (
    { row, best: place === 0, x: CELLS[answer.cell].intensity, y: row.rate })));
  const wide = width > 640;
  const height = wide ? 440 : 380;
  const margin = { top: 34, right: 16, bottom: 40, left: 50 };
  const xRange = logRange(points.map((p) => p.x), 0.05);
  const yRange = logRange([...points.map((p) => p.y), peak.rate * 1.3], 0.03);
  const x = d3.scaleLog(xRange, [margin.left, width - margin.right]);
  const y = d3.scaleLog(yRange, [height - margin.bottom, margin.top]);
  const svg = newSvg(width, height, `Roofline, ${choiceText()}`);
  axes(svg, {
    x, y, xTicks: logTicks(xRange), yTicks: logTicks(yRange), xText: digits, yText: digits,
    xLabel: "nominal operations a byte of x, k and y", yLabel: "nominal GFLOP/s",
  });
  points.sort((a, b) => a.best - b.best).forEach((p) => {
    const more = `${digits(p.y)} GFLOP/s, ${percentText(p.row.ofPeak)} of the peak, `
      + `${percentText(p.row.ofRoofline)} of the roofline`;
    point(svg, p.row, x(p.x), y(p.y), rowTip(p.row, more), p.best ? 46 : 20)
      .classed("faint", !p.best);
  });
  const roofs = roofTexts(peak, floors);
  const written = drawRoofs(svg, x, y, peak, floors, wide ? roofs : []);
  const others = roofs.filter((text) => !written.includes(text));
  fill(body, svg.node(), lookKey(points.filter((p) => p.best).map((p) => p.row.contender)),
    h("p", { class: "note" }, "Large marks: the fastest of a problem. Small ones: the others.",
      others.length ? ` Roofs: ${others.join("; ")}.` : ""));
}

/** What each roof is: the peak, then the bandwidths. */
function roofTexts(peak, floors) {
  return [`FMA peak, ${threadsText(peak.threads)}: ${digits(peak.rate)} GFLOP/s`,
    ...floors.map(([floor, text]) => `${text}: ${digits(floor.rate)} GB/s`)];
}

/** The roofs, with their texts along them where there is room. Returns the texts that are there. */
function drawRoofs(svg, x, y, peak, floors, texts) {
  const written = [];
  const [x0, x1] = x.domain();
  const roof = ([ax, ay], [bx, by], text) => {
    svg.append("line").attr("class", "roof").attr("x1", ax).attr("y1", ay).attr("x2", bx)
      .attr("y2", by);
    const angle = (180 / Math.PI) * Math.atan2(by - ay, bx - ax);
    if (!text || textWidth(text, 12) + 10 > Math.hypot(bx - ax, by - ay)) return;
    svg.append("text").attr("class", "roof-text").attr("y", -6).attr("x", 8)
      .attr("transform", `translate(${ax},${ay}) rotate(${angle})`).text(text);
    written.push(text);
  };
  const level = y(peak.rate);
  roof([x(x0), level], [x(x1), level], texts[0]);
  floors.forEach(([floor], place) => {
    const knee = Math.min(x1, peak.rate / floor.rate);
    const low = Math.max(x0, y.domain()[0] / floor.rate);
    if (knee > low) {
      roof([x(low), y(low * floor.rate)], [x(knee), y(knee * floor.rate)], texts[place + 1]);
    }
  });
  return written;
}

/** Marks and names of contenders, for charts where labels have no place of their own. */
function lookKey(numbers) {
  const unique = [...new Set(numbers)].sort((a, b) => a - b);
  return h("ul", { class: "who", "aria-label": "Key" },
    ...unique.map((number) => h("li", {}, nameTag(number))));
}

// --- error against time --------------------------------------------------------------------------

/** The problems that the picture can be of: [[value, text]]. */
function accuracyOptions() {
  const families = Object.keys(selection().ranking)
    .map((family) => [family, `all ${family === "planes" ? "single planes" : "layers"}`]);
  const cells = [...mainAnswers({ layers: false }), ...mainAnswers({ layers: true })]
    .map((answer) => [String(answer.cell), CELLS[answer.cell].case]);
  return [...families, ...cells];
}

/** Points of a family: means and worst errors; or of one cell. */
function accuracyPoints(value, l2) {
  const [what, front] = l2 ? ["l2", "frontL2"] : ["error", "front"];
  const ranking = selection().ranking[value];
  if (ranking) {
    return ranking.filter((entry) => entry.mean && entry[what] !== null).map((entry) => ({
      contender: entry.contender, x: entry.mean, y: entry[what], front: entry[front], row: null,
    }));
  }
  const answer = answers().get(Number(value));
  if (!answer) return [];
  return standings(answer).filter(({ row }) => row[what] !== null).map(({ row }) => ({
    contender: row.contender, x: row.seconds, y: row[what],
    front: answer[front].includes(row.number), row,
  }));
}

function startAccuracy(body) {
  const chosen = { problem: "planes", l2: false };
  const select = h("select", { "aria-label": "Problem",
    change: (event) => { chosen.problem = event.target.value; draw(); } });
  const picture = h("div");
  let width = 0;
  const draw = () => drawAccuracy(picture, width, chosen);
  const measures = [["bound", "Units of its bound"], ["l2", "Relative L2"]];
  fill(body, h("div", { class: "controls" },
    h("label", { class: "select" }, h("span", {}, "Problem"), select),
    chooser("error", "Error", measures, "bound", (value) => {
      chosen.l2 = value === "l2";
      draw();
    })), picture);
  responsive(picture, (now) => {
    width = now;
    const options = selection() ? accuracyOptions() : [];
    if (!options.some(([value]) => value === chosen.problem)) {
      chosen.problem = options.length ? options[0][0] : "";
    }
    fill(select, ...options.map(([value, text]) =>
      h("option", { value, selected: value === chosen.problem }, text)));
    draw();
  });
}

function drawAccuracy(element, width, chosen) {
  const points = selection() ? accuracyPoints(chosen.problem, chosen.l2) : [];
  if (!points.length) {
    fill(element, nothing("No errors were reported here."));
    return;
  }
  const family = !points[0].row;
  const height = width > 640 ? 400 : 360;
  const margin = { top: 34, right: 24, bottom: 40, left: 56 };
  const xRange = logRange(points.map((p) => p.x), 0.1);
  const yRange = logRange(points.map((p) => p.y), 0.14, 10);
  const x = d3.scaleLog(xRange, [margin.left, width - margin.right]);
  const bottom = height - margin.bottom;
  const scale = d3.scaleLog(yRange, [bottom - 12, margin.top]);
  const y = (value) => (value > 0 ? scale(value) : bottom - 3);
  y.range = () => [bottom, margin.top];
  const svg = newSvg(width, height, `Error against time, ${choiceText()}`);
  axes(svg, {
    x, y, xTicks: logTicks(xRange), yTicks: logTicks(yRange),
    xText: family ? (v) => `${digits(v)}×` : secondsText, yText: digits,
    xLabel: family ? "times the fastest’s time, geometric mean" : "seconds a call",
    yLabel: (family ? "worst error, " : "error, ")
      + (chosen.l2 ? "relative L2" : "units of its bound"),
  });
  const front = points.filter((p) => p.front).sort((a, b) => a.x - b.x);
  const stairs = d3.line().x((p) => x(p.x)).y((p) => y(p.y)).curve(d3.curveStepAfter);
  svg.append("path").attr("class", "front").attr("d", stairs(front));
  scatterLabels(svg, points.map((p) => ({ ...p, px: x(p.x), py: y(p.y) })), width,
    [margin.top, bottom]);
  points.forEach((p) => {
    const error = `error ${digits(p.y)}`;
    const tip = p.row ? rowTip(p.row, error)
      : [CONTENDERS[p.contender].name, `${timesText(p.x)} the fastest’s time`, error].join("\n");
    const mark = svg.append("path").attr("class", `mark ${LOOKS[p.contender].className}`)
      .attr("d", markPath(p.contender, p.front ? 80 : 44)).attr("data-tip", tip)
      .attr("transform", `translate(${x(p.x)},${y(p.y)})`).attr("data-who", p.contender);
    if (p.row) mark.attr("data-row", p.row.number);
  });
  fill(element, svg.node(), h("p", { class: "note" }, "Pareto front, fastest first: ",
    ...front.flatMap((p) => [nameTag(p.contender), " "])));
}

/** A name at each point, on the side and at the height where it hits no other. */
function scatterLabels(svg, points, width, [top, bottom]) {
  const taken = points.map((p) => [p.px - 6, p.py - 6, p.px + 6, p.py + 6]);
  const hits = (box) => taken.filter((other) => box[0] < other[2] && other[0] < box[2]
    && box[1] < other[3] && other[1] < box[3]).length;
  [...points].sort((a, b) => b.front - a.front).forEach((p) => {
    const text = CONTENDERS[p.contender].short;
    const long = textWidth(text, 11.5, p.front ? 650 : 400) + 2;
    const spots = [0, -14, 14, -26, 26, -38, 38, -50, 50].flatMap((dy) => [
      { left: p.px + 10, dy }, { left: p.px - 10 - long, dy }]);
    const boxOf = ({ left, dy }) => [left, p.py + dy - 7, left + long, p.py + dy + 6];
    const inside = spots.filter(({ left, dy }) => left > 56 && left + long < width - 2
      && p.py + dy > top && p.py + dy < bottom);
    const best = d3.scan(inside, (a, b) =>
      hits(boxOf(a)) + Math.abs(a.dy) / 80 - hits(boxOf(b)) - Math.abs(b.dy) / 80);
    if (best === undefined) return;
    const spot = inside[best];
    taken.push(boxOf(spot));
    if (Math.abs(spot.dy) > 14) {
      svg.append("path").attr("class", `leader ${LOOKS[p.contender].className}`)
        .attr("d", `M${p.px},${p.py}L${spot.left > p.px ? spot.left - 2 : spot.left + long + 2},`
          + `${p.py + spot.dy}`);
    }
    svg.append("text").attr("class", `end-text ${p.front ? "strong" : ""}`)
      .attr("data-who", p.contender).attr("x", spot.left).attr("y", p.py + spot.dy + 4).text(text);
  });
}

// --- threads -------------------------------------------------------------------------------------

function startThreads(body) {
  if (!DATA.scaling.length) {
    fill(body, nothing(RUN.threads.length > 1
      ? "Nobody was measured with one thread and with more in the same cell."
      : `Only ${threadsText(RUN.threads[0] || 1)} was measured.`));
    return;
  }
  responsive(body, (width) => {
    const points = DATA.scaling.map(([one, more, ratio, low, high]) =>
      ({ one: ROWS[one], row: ROWS[more], ratio, low, high }))
      .filter(({ row }) => inGroup(row) && cellOf(row).main
        && cellOf(row).scalar === state.scalar);
    const numbers = [...new Set(points.map((p) => p.row.contender))].sort(d3.ascending);
    if (!numbers.length) {
      fill(body, nothing("Nobody in this choice takes more than one thread."));
      return;
    }
    const columns = width >= 1000 ? Math.max(3, Math.min(numbers.length, 5)) : width >= 640 ? 2 : 1;
    const each = Math.floor((width - (columns - 1) * 20) / columns);
    const grid = panelGrid(columns);
    numbers.forEach((number) => drawSpeedups(grid, each, number, points));
    body.replaceChildren(grid);
  });
}

function drawSpeedups(element, width, number, points) {
  const mine = points.filter((p) => p.row.contender === number);
  const height = 250;
  const margin = { top: 44, right: 40, bottom: 38, left: 44 };
  const xRange = logRange(points.map((p) => cellOf(p.row).multiplyAdds));
  const threads = [...new Set(points.map((p) => p.row.threads))];
  const yRange = logRange([...points.map((p) => p.ratio), ...threads, 1], 0.06);
  const x = d3.scaleLog(xRange, [margin.left, width - margin.right]);
  const y = d3.scaleLog(yRange, [height - margin.bottom, margin.top]);
  const svg = newSvg(width, height, `Speed-up of ${CONTENDERS[number].name} by threads`);
  const title = svg.append("g").attr("transform", "translate(8,10)");
  title.append("path").attr("class", `mark ${LOOKS[number].className}`)
    .attr("d", markPath(number, 50));
  title.append("text").attr("class", "panel-title").attr("x", 12).attr("y", 4)
    .text(CONTENDERS[number].name);
  axes(svg, {
    x, y, xTicks: logTicks(xRange, 5), yTicks: logTicks(yRange, 6), xText: digits,
    yText: (v) => `${digits(v)}×`, xLabel: "multiply-adds", yLabel: "speed-up",
  });
  [1, ...threads].forEach((level) => {
    svg.append("line").attr("class", level === 1 ? "level one" : "level")
      .attr("x1", margin.left).attr("x2", width - margin.right).attr("y1", y(level))
      .attr("y2", y(level));
    svg.append("text").attr("class", "level-text").attr("x", width - margin.right + 4)
      .attr("y", y(level) + 4).text(level === 1 ? "none" : `${level} thr.`);
  });
  mine.forEach(({ row, ratio, low, high }) => {
    const px = x(cellOf(row).multiplyAdds);
    if (low) whisker(svg, row, [px, inside(y, low)], [px, inside(y, high)]);
    const about = `${timesText(ratio)} as fast (${intervalText(low, high)})`;
    point(svg, row, px, y(ratio), rowTip(row, about), 34);
  });
  element.append(svg.node());
}

// --- steps --------------------------------------------------------------------------------------

const STEP_CLASSES = ["padding", "lowering", "transforms", "products", "gemm", "copies"];

function stepClass(name) {
  const place = STEP_CLASSES.indexOf(name);
  return `step-${place >= 0 ? place : name === "other" ? "other" : STEP_CLASSES.length}`;
}

function startSteps(body) {
  if (!DATA.steps.length) {
    fill(body, nothing("No steps were measured in this run."));
    return;
  }
  responsive(body, (width) => {
    const cases = [...new Set(DATA.steps.map((entry) => entry.case))];
    const groups = cases.map((name) => {
      const entriesHere = DATA.steps.filter((entry) => entry.case === name);
      return h("div", { class: "bars" }, h("h3", {}, name),
        ...entriesHere.map((entry) => stepBar(entry, width)));
    });
    const names = [...new Set(DATA.steps.flatMap((entry) => entry.parts.map(([name]) => name)))];
    const key = h("ul", { class: "who", "aria-label": "Steps" }, ...names.map((name) =>
      h("li", {}, h("span", { class: `chip ${stepClass(name)}` }), name)));
    fill(body, key, h("div", { class: "bar-groups" }, ...groups));
  });
}

/** A bar with its steps as shares of the total; the parts carry their names where they fit. */
function stepBar(entry, width) {
  const number = CONTENDERS.findIndex((contender) => contender.name === entry.algorithm);
  const parts = entry.parts.map(([name, seconds]) => {
    const share = seconds / entry.total;
    const room = share * Math.min(width, 560) * 0.55;
    const text = room > name.length * 7 + 8 ? name : "";
    return h("span", { class: `part ${stepClass(name)}`, style: `flex-grow: ${share}`,
      "data-tip": `${name}: ${secondsText(seconds)}, ${percentText(share)}` }, text);
  });
  const said = entry.parts.map(([name, seconds]) =>
    `${name} ${percentText(seconds / entry.total)}`).join(", ");
  return h("div", { class: "bar-line" },
    number >= 0 ? nameTag(number) : h("code", {}, entry.algorithm),
    h("span", { class: "stack", role: "img", "aria-label": said }, ...parts),
    h("span", { class: "total" }, `${secondsText(entry.total)}`,
      h("small", {}, ` ${entry.scalar}, ${threadsText(entry.threads)}`)));
}

// --- layers --------------------------------------------------------------------------------------

function startLayers(body) {
  if (!CELLS.some((cell) => cell.layer && cell.main)) {
    fill(body, nothing("No layers were measured in this run."));
    return;
  }
  responsive(body, (width) => {
    const found = mainAnswers({ layers: true });
    if (!found.length) {
      fill(body, nothing("Nobody in this choice was measured on a layer."));
      return;
    }
    drawLayers(body, width, found);
  });
}

function drawLayers(body, width, found) {
  const wide = width > 640;
  const step = wide ? 30 : 46;
  const margin = { top: 30, right: wide ? 200 : 14, bottom: 38, left: wide ? 226 : 10 };
  const height = margin.top + margin.bottom + step * found.length;
  const range = [0.92, logRange(found.flatMap((answer) => answer.ratios.map((r) => r[0])))[1]];
  const x = d3.scaleLog(range, [margin.left, width - margin.right]);
  const y = d3.scaleLinear([0, 1], [height - margin.bottom, margin.top]);
  const svg = newSvg(width, height, `Layers, times the fastest’s time, ${choiceText()}`);
  axes(svg, { x, y, xTicks: logTicks([1, range[1]]), yTicks: [], xText: (v) => `${digits(v)}×`,
    xLabel: "times the fastest’s time" });
  found.forEach((answer, place) => {
    const middle = margin.top + step * (place + (wide ? 0.5 : 0.72));
    drawLayer(svg, answer, x, middle, { wide, width, margin, step });
  });
  fill(body, svg.node(),
    lookKey(found.flatMap((answer) => answer.field.map((row) => ROWS[row].contender))));
}

function drawLayer(svg, answer, x, middle, { wide, width, margin, step }) {
  const cell = CELLS[answer.cell];
  const winner = fastestOf(answer);
  const write = (cls, px, py, anchor, text) => svg.append("text").attr("class", cls)
    .attr("x", px).attr("y", py).attr("text-anchor", anchor).text(text);
  svg.append("line").attr("class", "grid").attr("x1", x.range()[0]).attr("x2", x.range()[1])
    .attr("y1", middle).attr("y2", middle);
  const sign = SIGNS[answer.verdict] ? `${SIGNS[answer.verdict]} ` : "";
  const best = `${sign}${contenderOf(winner).short}, ${secondsText(winner.seconds)}`;
  write("row-label", wide ? margin.left - 10 : 2, wide ? middle + 4 : middle - step * 0.36,
    wide ? "end" : "start", cell.case).attr("data-tip", cell.remark || sizeText(cell));
  write("row-note", wide ? width - margin.right + 10 : width - 4,
    wide ? middle + 4 : middle - step * 0.36, wide ? "start" : "end", best);
  [...standings(answer)].reverse().forEach(({ row, ratio }) => {
    const [estimate, low, high] = ratio;
    if (low) whisker(svg, row, [inside(x, low), middle], [inside(x, high), middle]);
    point(svg, row, x(estimate), middle, rowTip(row, `${timesText(estimate)} the fastest’s time`),
      row === winner ? 64 : 38);
  });
}

// --- modes ---------------------------------------------------------------------------------------

function startModes(body) {
  if (!CELLS.length) {
    fill(body, nothing("Nothing was measured in any mode."));
    return;
  }
  if (!DATA.modes.length) {
    fill(body, nothing(`Only one mode was measured: ${RUN.mode[0]} cache, ${RUN.mode[1]} output.`));
    return;
  }
  paint(() => {
    const found = DATA.modes
      .map(([main, other, ratio, low, high]) =>
        ({ main: ROWS[main], row: ROWS[other], ratio, low, high }))
      .filter(({ row }) => inGroup(row) && row.threads <= state.threads
        && cellOf(row).scalar === state.scalar);
    if (!found.length) {
      fill(body, nothing("Nobody in this choice was measured in more than one mode."));
      return;
    }
    const cases = [...new Set(found.map(({ row }) => cellOf(row).case))];
    fill(body, ...cases.map((name, place) =>
      modeTable(name, found.filter(({ row }) => cellOf(row).case === name), place === 0)));
  });
}

/** One row a contender, one column a mode. */
function modeTable(name, found, open) {
  const modes = [...new Set(found.map(({ row }) => modeText(cellOf(row))))];
  const columns = [{ text: "" }, { text: "Threads", number: true },
    { text: modeText(cellOf(found[0].main)), number: true },
    ...modes.map((text) => ({ text, number: true }))];
  const mains = [...new Set(found.map(({ main }) => main))].sort((a, b) => a.seconds - b.seconds);
  const worst = d3.max(found, ({ ratio }) => ratio);
  const rows = mains.map((main) => tableRow(columns, [
    nameTag(main.contender), String(main.threads), secondsText(main.seconds),
    ...modes.map((text) => {
      const there = found.find((entry) =>
        entry.main === main && modeText(cellOf(entry.row)) === text);
      if (!there) return null;
      const share = Math.log(Math.max(1, there.ratio)) / Math.log(Math.max(1.1, worst));
      const interval = intervalText(there.low, there.high);
      return h("span", { class: "meter",
        "data-tip": `${secondsText(there.row.seconds)}; ratio ${interval}` },
      timesText(there.ratio), h("span", { class: "meter-track" },
        h("span", { class: "plain-fill", style: `width: ${Math.round(100 * share)}%` })));
    }),
  ]));
  return h("details", { open, class: "mode" }, h("summary", {}, name),
    table(columns, rows, { label: `Modes of ${name}` }));
}
