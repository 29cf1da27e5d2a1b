// --- what the reader chose -----------------------------------------------------------------------

const RUN = DATA.run;
const GROUP_TEXTS = { both: "Both", ours: "Ours only", peers: "Peers only" };

const GROUP_KINDS = { both: ["ours", "peer"], ours: ["ours"], peers: ["peer"] };

const state = {
  scalar: RUN.scalars[0],
  threads: RUN.threads[RUN.threads.length - 1],
  group: RUN.groups[0],
  cell: null, // the number of the cell that the panel shows
};

const painters = []; // what is drawn anew when the reader chooses

/** Registers a function that draws by the state, and runs it. */
function paint(painter) {
  painters.push(painter);
  painter();
}

function choose(changes) {
  Object.assign(state, changes);
  painters.forEach((painter) => painter());
}

const selectionKey = (scalar, threads, group) => `${scalar} ${threads} ${group}`;
const SELECTIONS = new Map(DATA.selections.map((selection) =>
  [selectionKey(selection.scalar, selection.threads, selection.group), selection]));

/** The selection by the state, or with another scalar. */
function selection(scalar = state.scalar) {
  return SELECTIONS.get(selectionKey(scalar, state.threads, state.group));
}

const answerCaches = new WeakMap();

/** The answers of the chosen selection by the number of their cell. */
function answers(scalar = state.scalar) {
  const chosen = selection(scalar);
  if (!chosen) return new Map();
  if (!answerCaches.has(chosen)) {
    answerCaches.set(chosen, new Map(chosen.answers.map((answer) => [answer.cell, answer])));
  }
  return answerCaches.get(chosen);
}

/** The answers in the main mode, those of single planes or of layers. */
function mainAnswers({ layers }) {
  return [...answers().values()]
    .filter((answer) => CELLS[answer.cell].main && CELLS[answer.cell].layer === layers);
}

/** Rows of an answer with the ratio to the fastest: [estimate, low, high, verdict]. */
function standings(answer) {
  return answer.field.map((number, place) => ({
    row: ROWS[number],
    ratio: place ? answer.ratios[place - 1] : [1, 1, 1, "fastest"],
  }));
}

/** The same, and those whose algorithm does better with another number of threads. */
function allStandings(answer) {
  const others = answer.others.map(([number, ratio]) => ({ row: ROWS[number], ratio }));
  return [...standings(answer), ...others];
}

function fastestOf(answer) {
  return ROWS[answer.field[0]];
}

const VERDICTS = {
  clear: "clearly fastest",
  tie: "tie: equal within 2 %",
  unresolved: "unresolved: not told apart",
  alone: "unopposed: nobody else was measured",
};

/** Whether a row's contender is of the chosen group. */
function inGroup(row) {
  return GROUP_KINDS[state.group].includes(contenderOf(row).kind);
}

/** What is compared, for titles. */
function choiceText() {
  if (!selection()) return "nothing was measured";
  const group = { both: "ours and peers", ours: "ours only", peers: "peers only" };
  const threads = RUN.threads.length > 1
    ? `at most ${threadsText(state.threads)}` : threadsText(state.threads);
  const parts = [state.scalar, threads];
  if (RUN.groups.length > 1) parts.push(group[state.group]);
  return parts.join(" · ");
}

/** The form by which the reader chooses; what leaves no choice is said only. */
function drawFilters() {
  const options = {
    scalar: ["Scalar", RUN.scalars.map((scalar) => [scalar, scalar])],
    threads: ["Threads", RUN.threads.map((threads) =>
      [threads, threads === RUN.threads[0] ? `${threads}` : `≤ ${threads}`])],
    group: ["Contenders", RUN.groups.map((group) => [group, GROUP_TEXTS[group]])],
  };
  const fields = Object.entries(options)
    .filter(([, [, values]]) => values.length > 1)
    .map(([name, [legend, values]]) =>
      chooser(name, legend, values, state[name], (value) => choose({ [name]: value })));
  const fixed = [
    RUN.scalars.length === 1 ? `${RUN.scalars[0]} only` : "",
    RUN.threads.length === 1 ? `${threadsText(RUN.threads[0])} only` : "",
    RUN.groups.length === 1 ? `${GROUP_TEXTS[RUN.groups[0]].toLowerCase()} in this run` : "",
  ].filter(Boolean).join(" · ");
  fill(byId("filters"), ...fields, fixed ? h("p", { class: "fixed" }, fixed) : null);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
}
