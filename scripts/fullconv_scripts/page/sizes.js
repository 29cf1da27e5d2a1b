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
