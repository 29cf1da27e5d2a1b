// --- steps ---------------------------------------------------------------------------------------

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
