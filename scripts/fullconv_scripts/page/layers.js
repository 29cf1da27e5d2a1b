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
