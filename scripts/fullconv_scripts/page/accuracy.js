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
