// --- the page ------------------------------------------------------------------------------------

function startHeadline() {
  paint(() => {
    const chosen = selection();
    const sentences = chosen ? chosen.headline : ["Nothing was measured."];
    fill(byId("headline"), ...sentences.map((text) => h("p", {}, ...marked(text))));
  });
}

function startProvenance() {
  const { environment } = DATA;
  const parts = [environment.cpu_name || "unknown processor",
    environment.cores && countText(environment.cores, "core"),
    String(environment.started || "").slice(0, 10),
    environment.commit && `commit ${String(environment.commit).slice(0, 12)}`
      + `${environment.dirty ? " with changes" : ""}`,
    countText(CELLS.length, "cell")].filter(Boolean);
  fill(byId("provenance"), `${parts.join(" · ")} · `,
    h("a", { href: RUN.rawName || "raw.json" }, "raw.json"), " · ",
    h("a", { href: "records.csv" }, "records.csv"));
  const notes = [];
  if (RUN.status !== "complete") {
    notes.push(`This run is ${RUN.status}: ${countText(CELLS.length, "cell")} so far.`);
  }
  const count = (environment.warnings || []).length + RUN.failures.length
    + d3.sum(CELLS, (cell) => cell.warnings.length);
  if (count) notes.push(`${countText(count, "warning")}: see `);
  byId("run-notes").hidden = !notes.length;
  const link = h("a", { href: "#caveats" }, "what may have disturbed these results");
  fill(byId("run-notes"), notes.join(" "), ...(count ? [link, "."] : []));
  fill(byId("trace"), "All numbers follow from ", h("a", { href: RUN.rawName || "raw.json" },
    "raw.json"), ` of ${RUN.folder || "this run"}; each row says from which entry. `,
  h("a", { href: "records.csv" }, "records.csv"),
  " holds what follows from it, a line a contender and cell.");
}

/** Links to the sections, for the bar. */
function drawContents() {
  const links = [...document.querySelectorAll("main > section")].map((section) =>
    h("li", {}, h("a", { href: `#${section.id}` }, section.dataset.short)));
  fill(byId("contents"), ...links);
}

const THEMES = ["auto", "light", "dark"];

function startTheme() {
  const button = byId("theme");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[theme];
    button.setAttribute("aria-label", `Theme: ${theme}. Press for the next.`);
  };
  let kept = null;
  try { kept = localStorage.getItem("fullconv-theme"); } catch { /* may be forbidden */ }
  show(THEMES.includes(kept) ? kept : "auto");
  button.addEventListener("click", () => {
    const place = THEMES.indexOf(document.documentElement.dataset.theme);
    const next = THEMES[(place + 1) % THEMES.length];
    show(next);
    try { localStorage.setItem("fullconv-theme", next); } catch { /* may be forbidden */ }
  });
}

/** A click on a point leads to its row. */
function startPoints() {
  document.addEventListener("click", (event) => {
    const target = event.target.closest(".chart [data-row]");
    if (target) goToCell(ROWS[Number(target.dataset.row)].cell, Number(target.dataset.row));
  });
}

/** On paper everything is open. */
function startPrinting() {
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("main details").forEach((details) => { details.open = true; });
  });
}

function start() {
  startTheme();
  drawContents();
  drawFilters();
  startHeadline();
  startProvenance();
  startCells(byId("cells-body"));
  responsive(byId("map"), (width) => drawMap(byId("map"), width));
  startRanking(byId("ranking-body"));
  startTime(byId("time-body"));
  startRoofline(byId("roofline-body"));
  startAccuracy(byId("accuracy-body"));
  startMemory(byId("memory-body"));
  startThreads(byId("threads-body"));
  startSteps(byId("steps-body"));
  startNetworks(byId("networks-body"));
  startForms(byId("forms-body"));
  startLayers(byId("layers-body"));
  startModes(byId("modes-body"));
  startFairness(byId("fairness-body"));
  startAudit(byId("audit-body"));
  startCaveats(byId("caveats-body"));
  startEnvironment(byId("environment-body"));
  startSearch();
  startTips();
  startHighlights();
  startPoints();
  startPrinting();
  goToHash();
  window.addEventListener("hashchange", goToHash);
}

start();
