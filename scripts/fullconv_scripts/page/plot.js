// --- what all charts share -----------------------------------------------------------------------

/** Calls draw(width) now, and whenever the width of the element or the reader's choice changes. */
function responsive(element, draw) {
  let drawn = 0;
  const redraw = () => {
    drawn = Math.floor(element.clientWidth);
    if (drawn > 0) draw(drawn);
  };
  new ResizeObserver(() => {
    if (Math.floor(element.clientWidth) !== drawn) redraw();
  }).observe(element);
  paint(redraw);
}

function newSvg(width, height, label) {
  return d3.create("svg").attr("class", "chart").attr("viewBox", `0 0 ${width} ${height}`)
    .attr("width", width).attr("height", height).attr("role", "img").attr("aria-label", label);
}

/** Powers of ten in a range, or 1, 2, 5 times them where there are few. */
function logTicks([low, high], most = 7) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  const powers = d3.range(first, last + 1, step).map((power) => 10 ** power);
  if (powers.length >= 3) return powers;
  const finer = d3.range(first - 1, last + 1)
    .flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power))
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
  return finer.length >= 2 ? finer.slice(0, most) : d3.scaleLinear([low, high], [0, 1]).ticks(4);
}

/** A range around values, a share wider on a logarithmic scale; at least a factor of `least`. */
function logRange(values, pad = 0.04, least = 2) {
  const known = values.filter((value) => value > 0 && Number.isFinite(value));
  let [low, high] = known.length ? d3.extent(known) : [1, 10];
  const missing = Math.sqrt(Math.max(1, least / (high / low)));
  [low, high] = [low / missing, high * missing];
  const factor = (high / low) ** pad;
  return [low / factor, high * factor];
}

/** Values kept apart by `gap` within [low, high], moved as little as possible in the mean of
 * squares: neighbours that come too close are pooled. */
function spread(wanted, gap, low, high) {
  const order = d3.range(wanted.length).sort((a, b) => wanted[a] - wanted[b]);
  const step = Math.min(gap, (high - low) / Math.max(1, wanted.length - 1));
  const most = high - (wanted.length - 1) * step;
  const pools = [];
  order.forEach((place, i) => {
    pools.push({ mean: wanted[place] - i * step, count: 1 });
    while (pools.length > 1 && pools[pools.length - 2].mean > pools[pools.length - 1].mean) {
      const last = pools.pop();
      const pool = pools[pools.length - 1];
      pool.mean = (pool.mean * pool.count + last.mean * last.count) / (pool.count + last.count);
      pool.count += last.count;
    }
  });
  const heights = [];
  pools.flatMap(({ mean, count }) => d3.range(count).map(() => mean)).forEach((mean, i) => {
    heights[order[i]] = Math.min(most, Math.max(low, mean)) + i * step;
  });
  return heights;
}

/** Both axes with a grid. Options: x, y (scales with ranges), xTicks, yTicks, xText, yText,
 * xLabel, yLabel. */
function axes(g, options) {
  const { x, y } = options;
  const [left, right] = x.range();
  const [bottom, top] = y.range();
  const line = (cls, x1, y1, x2, y2) => g.append("line").attr("class", cls)
    .attr("x1", x1).attr("y1", y1).attr("x2", x2).attr("y2", y2);
  const write = (cls, px, py, text, anchor) => g.append("text").attr("class", cls)
    .attr("x", px).attr("y", py).attr("text-anchor", anchor).text(text);
  options.yTicks.forEach((tick) => {
    line("grid", left, y(tick), right, y(tick));
    write("tick", left - 6, y(tick) + 4, options.yText(tick), "end");
  });
  let free = -Infinity;
  options.xTicks.forEach((tick) => {
    line("grid", x(tick), bottom, x(tick), top);
    const text = options.xText(tick);
    const half = textWidth(text, 12) / 2 + 4;
    if (x(tick) - half < free) return;
    free = x(tick) + half;
    write("tick", x(tick), bottom + 16, text, "middle");
  });
  line("axis", left, bottom, right, bottom);
  if (options.xLabel) write("axis-label", right, bottom + 32, options.xLabel, "end");
  if (options.yLabel) write("axis-label", 2, top - 10, options.yLabel, "start");
}

/** A contender's mark at a point that tells what it is and leads to its row. */
function point(g, row, px, py, tip, size = 34) {
  return g.append("path").attr("class", `mark ${LOOKS[row.contender].className}`)
    .attr("d", markPath(row.contender, size)).attr("transform", `translate(${px},${py})`)
    .attr("data-who", row.contender).attr("data-row", row.number).attr("data-tip", tip);
}

/** Where a value lies on a scale; what is beyond its end lies there. */
function inside(scale, value) {
  const [least, most] = d3.extent(scale.range());
  return Math.max(least, Math.min(most, scale(value)));
}

/** An interval as a thin line; none where it is not known. */
function whisker(g, row, from, to) {
  g.append("line").attr("class", `whisker ${LOOKS[row.contender].className}`)
    .attr("data-who", row.contender)
    .attr("x1", from[0]).attr("y1", from[1]).attr("x2", to[0]).attr("y2", to[1]);
}

/** Names beside the last points, moved apart. Ends: {contender, x, y, faint}. */
function endLabels(g, ends, x, top, bottom) {
  const heights = spread(ends.map((end) => end.y), 14, top + 4, bottom - 2);
  ends.forEach((end, place) => {
    const label = g.append("g").attr("class", `end ${end.faint ? "faint" : ""}`)
      .attr("data-who", end.contender);
    const py = heights[place];
    // One that ends early is told by its mark: its line would cross all others.
    const near = end.x > x - 50;
    if (near) label.append("path").attr("class", `leader ${LOOKS[end.contender].className}`)
      .attr("d", `M${end.x + 5},${end.y}L${Math.max(end.x + 6, x - 4)},${py}L${x + 3},${py}`);
    label.append("path").attr("class", `mark ${LOOKS[end.contender].className}`)
      .attr("d", markPath(end.contender, 26)).attr("transform", `translate(${x + 9},${py})`);
    label.append("text").attr("class", "end-text").attr("x", x + 17).attr("y", py + 4)
      .text(CONTENDERS[end.contender].short);
  });
}

/** How much room end labels need. */
function endRoom(contenders) {
  return 20 + (d3.max(contenders, (number) => textWidth(CONTENDERS[number].short, 11.5)) || 0);
}

/** Marks and names of contenders, for charts where labels have no place of their own. */
function lookKey(numbers) {
  const unique = [...new Set(numbers)].sort((a, b) => a - b);
  return h("ul", { class: "who", "aria-label": "Key" },
    ...unique.map((number) => h("li", {}, nameTag(number))));
}

function panelGrid(columns) {
  return h("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, 1fr)` });
}

/** What is said of a row wherever it is drawn. */
function rowTip(row, ...more) {
  const cell = cellOf(row);
  return [
    `${contenderOf(row).name}, ${threadsText(row.threads)}`,
    `${cell.case} ${cell.scalar}`,
    `${secondsText(row.seconds)} (${secondsInterval(row.low, row.high)})`,
    ...more,
  ].join("\n");
}

// --- pointing ------------------------------------------------------------------------------------

/** A line of text beside the pointer for whatever has data-tip. */
function startTips() {
  const tip = byId("tip");
  const hide = () => { tip.hidden = true; };
  const place = (x, y) => {
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(x + 14, document.documentElement.clientWidth - width - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${y + height + 24 > window.innerHeight ? y - height - 10 : y + 16}px`;
  };
  document.addEventListener("pointermove", (event) => {
    const target = event.target.closest && event.target.closest("[data-tip]");
    if (!target) return hide();
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    return place(event.clientX, event.clientY);
  });
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}

/** Singles out the contender that is pointed at, within its section. */
function startHighlights() {
  let lit = null;
  document.addEventListener("pointerover", (event) => {
    const target = event.target.closest && event.target.closest(".chart [data-who]");
    if (lit) lit.removeAttribute("data-lit");
    lit = null;
    document.querySelectorAll(".lit").forEach((element) => element.classList.remove("lit"));
    if (!target) return;
    lit = target.closest("section");
    lit.setAttribute("data-lit", "");
    lit.querySelectorAll(`.chart [data-who="${target.dataset.who}"]`)
      .forEach((element) => element.classList.add("lit"));
  });
}
