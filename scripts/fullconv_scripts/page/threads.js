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
