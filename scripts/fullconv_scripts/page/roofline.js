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
