// --- which form for a layer ----------------------------------------------------------------------

function startForms(body) {
  paint(() => {
    const forms = selection() ? selection().forms : [];
    if (!forms.length) fill(body, nothing("Nobody in this choice was measured on a layer."));
    else fill(body, formsTable(forms));
  });
}

/** A row for each kernel, stride and dilation, a column for each class of channels. */
function formsTable(forms) {
  const bounds = [...new Set(forms.filter((form) => !form.planes).map((form) => form.channels))]
    .sort(d3.ascending);
  const headings = bounds.map((least) => {
    const { below } = forms.find((form) => form.channels === least);
    return below ? `${least} to ${below - 1} channels` : `${least} channels and more`;
  });
  const anyPlanes = forms.some((form) => form.planes);
  const columns = ["Kernel, stride", ...headings, ...(anyPlanes ? ["depthwise"] : [])]
    .map((text) => ({ text }));
  const rows = d3.groups(forms, formText).map(([text, ofKernel]) => tableRow(columns, [
    text,
    ...bounds.map((least) =>
      formCell(ofKernel.find((form) => !form.planes && form.channels === least))),
    ...(anyPlanes ? [formCell(ofKernel.find((form) => form.planes))] : []),
  ]));
  return table(columns, rows, { label: `Who to take for a layer, ${choiceText()}` });
}

function formText({ kernel, stride, dilation }) {
  const by = ([y, x]) => `${y}×${x}`;
  const axes = ([y, x]) => (y === x ? String(y) : by([y, x]));
  return [by(kernel), axes(stride) === "1" ? "" : `stride ${axes(stride)}`,
    axes(dilation) === "1" ? "" : `dilation ${axes(dilation)}`].filter(Boolean).join(", ");
}

function formCell(form) {
  if (!form) return null;
  const { cells, best, next } = form;
  const behind = next ? `${CONTENDERS[next[0]].short} ${timesText(next[1])}` : "alone";
  return h("div", {}, nameTag(best), h("p", { class: "note" }, `${behind}; `,
    h("button", { type: "button", class: "to-row", click: () => goToCell(cells[0]) },
      countText(cells.length, "layer"))));
}

// --- ranking -------------------------------------------------------------------------------------

const FAMILY_TEXTS = { planes: "Single planes", layers: "Layers" };

function startRanking(body) {
  paint(() => {
    const ranking = selection() ? selection().ranking : {};
    const families = Object.keys(ranking);
    if (!families.length) fill(body, nothing("Nothing was measured in this choice."));
    else {
      fill(body, h("div", { class: "columns" },
        ...families.map((family) => rankingTable(family, ranking[family]))));
    }
  });
}

function rankingTable(family, ranking) {
  const columns = [{ text: "" }, { text: "Mean × fastest" }, { text: "Worst", number: true },
    { text: "Wins", number: true }, { text: "Ties", number: true },
    { text: "Open", number: true }, { text: "Ran on", number: true }];
  const worst = d3.max(ranking, (entry) => entry.mean) || 1;
  const rows = ranking.map((entry) => tableRow(columns, [
    nameTag(entry.contender), meanBar(entry, worst), timesText(entry.worst),
    countOrNone(entry.clear + entry.alone), countOrNone(entry.tie), countOrNone(entry.unresolved),
    `${entry.ran}/${entry.of}`,
  ]));
  return h("div", {}, h("h3", {}, `${FAMILY_TEXTS[family]}, ${choiceText()}`),
    table(columns, rows, { label: `Ranking, ${FAMILY_TEXTS[family]}` }),
    h("p", { class: "note" }, "Wins: clear or unopposed. Open: fastest, or not told "
      + "apart from it."));
}

function countOrNone(count) {
  return count ? String(count) : "·";
}

/** A mean as a bar on a logarithmic scale. */
function meanBar({ contender, mean }, worst) {
  if (mean === null) return "–";
  const share = (value) => 100 * Math.min(1, Math.log(Math.max(1, value)) / Math.log(worst * 1.05));
  return h("span", { class: `mean ${LOOKS[contender].className}` },
    h("span", { class: "mean-text" }, timesText(mean)),
    h("span", { class: "mean-track" },
      h("span", { class: "mean-fill", style: `width: ${Math.max(0.8, share(mean))}%` })));
}

// --- networks ------------------------------------------------------------------------------------

function startNetworks(body) {
  paint(() => {
    const networks = selection() ? selection().networks : [];
    if (!networks.length) {
      fill(body, nothing("No network was measured on all of its layers in this choice."));
    } else fill(body, h("div", { class: "columns" }, ...networks.map(networkTable)));
  });
}

function networkTable(network) {
  const columns = [{ text: "" }, { text: "All layers", number: true }, { text: "× fastest" }];
  const [, fastest] = network.totals[0];
  const worst = d3.max(network.totals, ([, seconds]) => seconds / fastest);
  const rows = network.totals.map(([contender, seconds]) => tableRow(columns, [
    nameTag(contender), secondsText(seconds), meanBar({ contender, mean: seconds / fastest }, worst),
  ]));
  const title = `${network.name}, batch ${network.batch}`;
  const deciding = network.deciding.map(([cell, times, share]) => h("li", {},
    `${Math.round(100 * share)} %: ${times} × `,
    h("button", { type: "button", class: "to-row", click: () => goToCell(cell) },
      CELLS[cell].case)));
  return h("div", {}, h("h3", {}, title),
    table(columns, rows, { label: `Times of ${title}` }),
    h("p", { class: "note" }, `${countText(network.layers, "convolution")}. Most of the fastest’s `
      + "time goes to:"),
    h("ul", { class: "note" }, ...deciding));
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

// --- fairness ------------------------------------------------------------------------------------

const LEDGER_FIELDS = {
  plan: "Planning", allocation: "Allocation", kernel_transform: "Transform of k",
  layout_change: "Change of layout", language_call: "Call from a language",
};
const SHARES = { inside: "● inside", outside: "○ outside", none: "– none" };

const isOurs = ({ kind }) => ["ours", "variant"].includes(kind);

function startFairness(body) {
  const withLedger = CONTENDERS.map((contender, number) => ({ ...contender, number }))
    .filter((contender) => contender.kind !== "floor");
  const columns = [{ text: "" }, ...Object.values(LEDGER_FIELDS).map((text) => ({ text })),
    { text: "Computes in" }, { text: "Threads" }, { text: "Version" }, { text: "Note" }];
  const rows = withLedger.map((contender) => {
    const ledger = contender.ledger || {};
    const shares = Object.keys(LEDGER_FIELDS).map((field) => (ledger[field]
      ? h("span", { class: `share-${ledger[field]}` }, SHARES[ledger[field]] || ledger[field])
      : null));
    return tableRow(columns, [nameTag(contender.number), ...shares, ledger.precision || null,
      threadsOf(contender), contender.version || (isOurs(contender) ? "this commit" : null),
      ledger.note || contender.summary || null]);
  });
  fill(body, table(columns, rows, { class: "ledger", label: "What is inside the time" }),
    h("h3", {}, "Why some have no time"), skippedTable());
}

function threadsOf(contender) {
  if (contender.threaded === null || contender.threaded === undefined) return null;
  return contender.threaded ? "as told" : "one";
}

/** Numbers in a reason differ from cell to cell; without them reasons can be counted. */
function plainReason(entry) {
  return entry.kind === "left out" ? "predicted to take longer than the limit of a call"
    : entry.reason;
}

/** One row a reason: who, in how many cells, and one of them. */
function skippedTable() {
  const groups = new Map();
  SKIPPED.filter(executed).forEach((entry) => {
    const key = `${entry.kind}: ${plainReason(entry)}`;
    const fresh = { kind: entry.kind, reason: plainReason(entry), who: new Map() };
    const group = groups.get(key) || fresh;
    const cells = group.who.get(entry.contender) || new Set();
    group.who.set(entry.contender, cells.add(entry.cell));
    groups.set(key, group);
  });
  if (!groups.size) return nothing("Everybody was measured everywhere.");
  const columns = [{ text: "Why" }, { text: "Who, in how many cells" }, { text: "For example" }];
  const rows = [...groups.values()].map(({ kind, reason, who }) => tableRow(columns, [
    h("span", {}, h("b", {}, kind), `: ${reason}`),
    h("span", { class: "names" }, ...[...who].map(([number, cells]) =>
      h("span", {}, nameTag(number), h("small", {}, ` ${cells.size}`)))),
    cellLink(Math.max(...[...who.values()][0])),
  ]));
  return table(columns, rows, { class: "reasons", label: "Why some have no time" });
}

function cellLink(number) {
  const cell = CELLS[number];
  return h("a", { href: `#${cellHash(cell)}`, click: (event) => {
    event.preventDefault();
    goToCell(number);
  } }, `${cell.case} ${cell.scalar}`);
}

// --- audit ---------------------------------------------------------------------------------------

function startAudit(body) {
  if (!DATA.audit) {
    fill(body, h("p", { class: "nothing" }, "No audit on this machine; ",
      h("code", {}, "scripts/audit"), " makes one."));
    return;
  }
  const all = DATA.audit.flatMap((part) => part.rows);
  const missed = all.filter((row) => row.met === false);
  const open = all.filter((row) => row.met !== false && row.met !== true);
  const met = all.length - missed.length - open.length;
  const sum = `${met} of ${countText(all.length, "target")} met`;
  fill(body, h("p", { class: missed.length ? "notice" : "" },
    missed.length ? `${sum}; missed: ${missed.map((row) => row.name).join("; ")}.` : `${sum}.`),
  ...DATA.audit.map(auditTable));
}

function auditTable({ title, rows }) {
  const columns = [{ text: "" }, { text: "Target" }, { text: "Measured" }, { text: "Met" },
    { text: "Detail" }];
  const text = (value) => (value === null || value === undefined ? null
    : typeof value === "object" ? JSON.stringify(value) : String(value));
  const lines = rows.map((row) => tableRow(columns, [text(row.name), text(row.target),
    text(row.measured), row.met === true ? "✓ met" : row.met === false
      ? h("b", { class: "missed" }, "✗ missed") : text(row.met), text(row.detail)]));
  return h("div", {}, title ? h("h3", {}, title) : null,
    table(columns, lines, { class: "ledger", label: title || "Audit" }));
}

// --- caveats -------------------------------------------------------------------------------------

function startCaveats(body) {
  const environment = DATA.environment;
  const lines = (environment.warnings || []).map((text) => h("li", {}, text));
  if (environment.dirty) {
    lines.push(h("li", {}, "The sources differed from the commit that is named below."));
  }
  if (RUN.status !== "complete") lines.push(h("li", {}, `The run is not complete: ${RUN.status}.`));
  if (RUN.leftOut.length) {
    lines.push(h("li", {}, `${countText(RUN.leftOut.length, "cell")} left out, over the budget: `,
      h("span", { class: "list" }, RUN.leftOut.join(", "))));
  }
  RUN.failures.forEach((text) => lines.push(h("li", {}, text)));
  CELLS.forEach((cell, number) => {
    cell.warnings.forEach((text) => lines.push(h("li", {}, cellLink(number), `: ${text}`)));
  });
  const widths = h("div");
  fill(body, lines.length ? h("ul", { class: "caveats" }, ...lines)
    : h("p", {}, "No warnings were raised before or during the run."),
  h("h3", {}, "How well ratios are known"), widths);
  paint(() => drawHalfWidths(widths));
}

/** Counts of relative half-widths of the intervals of ratios to the fastest. */
function drawHalfWidths(element) {
  const precision = selection() && selection().precision;
  const total = precision ? d3.sum(precision.counts) : 0;
  if (!total) {
    fill(element, nothing("There is no ratio in this choice."));
    return;
  }
  const edges = DATA.halfWidthBins.map((edge) => `${digits(100 * edge)} %`);
  const ranges = edges.map((edge, place) =>
    (place ? `${edges[place - 1]} – ${edge}` : `≤ ${edge}`));
  const texts = [...ranges, "wider, or not known"];
  const most = d3.max(precision.counts);
  const bars = precision.counts.map((count, place) => h("div", { class: "bar-line" },
    h("span", { class: "bar-name" }, texts[place]),
    h("span", { class: "plain-track" },
      h("span", { class: "plain-fill", style: `width: ${(100 * count) / most}%` })),
    h("span", { class: "total" }, `${count}`)));
  const target = DATA.settings.half_width;
  fill(element, h("p", {}, `${choiceText()}: of ${total} ratios to the fastest, half are known to `
    + `within ${percentText(precision.median)} and 95 % to within ${percentText(precision.p95)}`
    + `${target ? `; blocks are repeated until ${percentText(target)} or the time is up` : ""}. `
    + `Intervals are at the confidence that makes all ${RUN.comparisons.toLocaleString("en")} `
    + `comparisons of this report right together with ${percentText(RUN.confidence)} (Bonferroni), `
    + "hence wide. "
    + (RUN.layoutSpread
      ? `Programs linked in another order differ by ${percentText(RUN.layoutSpread)}: each verdict `
        + "takes the interval to be wider by that."
      : "How much another order of linking would change is not in them: no audit of that.")),
  h("div", { class: "bars narrow" }, ...bars));
}

// --- environment ---------------------------------------------------------------------------------

function cacheText(cache) {
  return `L${cache.level} ${cache.type} ${cache.size}, cores ${cache.shared_cpu_list}`;
}

/** What a value says, on one line. */
function plainText(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) {
    return value.map((entry) => (entry && entry.shared_cpu_list ? cacheText(entry)
      : plainText(entry))).join(separatorOf(value)) || "–";
  }
  if (typeof value === "object") {
    const parts = Object.entries(value).map(([key, entry]) => `${key} ${plainText(entry)}`);
    return parts.join(" · ") || "–";
  }
  return String(value);
}

function separatorOf(list) {
  return list.some((entry) => typeof entry === "object") ? " · " : ", ";
}

function startEnvironment(body) {
  const { warnings, build, libraries, ...machine } = DATA.environment;
  if (machine.memory_bytes) machine.memory_bytes = bytesText(machine.memory_bytes);
  const list = (entries) => h("dl", {}, ...Object.entries(entries).map(([key, value]) =>
    h("div", {}, h("dt", {}, key.replace(/_/g, " ")), h("dd", {}, plainText(value)))));
  const { cases, ...settings } = DATA.settings;
  const parts = [["Machine and run", machine], ["Build", build], ["Libraries", libraries],
    ["Settings", settings]].filter(([, entries]) => entries && Object.keys(entries).length);
  if (!parts.length) {
    fill(body, nothing("The run says nothing of its environment."));
    return;
  }
  const floors = DATA.floors.map((floor) => [
    `${floor.name}${floor.scalar ? ` ${floor.scalar}` : ""}, ${threadsText(floor.threads)}`,
    floor.rate ? `${digits(floor.rate)} ${floor.unit}` : secondsText(floor.seconds)]);
  if (floors.length) parts.push(["What the machine can do", Object.fromEntries(floors)]);
  fill(body, h("div", { class: "flow" },
    ...parts.map(([title, entries]) => h("div", {}, h("h3", {}, title), list(entries)))));
}
