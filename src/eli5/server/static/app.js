// The form, what it asks the server for, and what comes back. No state but the form, the picture
// that was chosen, and the address, which holds the rest.
import { startDrawing } from "./draw.js";

const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const desk = find(".desk");
const form = find("#ask");
const page = desk.dataset.page;
const config = JSON.parse(desk.dataset.config);
const LINKED = 1500; // characters of a text or a table that a link may hold
const state = { file: null, digest: "", name: "", example: "", running: null, answer: null };

// ---- which model, and what it takes --------------------------------------------------------------

function model() {
  const chosen = new FormData(form).get("model");
  return config.models[chosen] ?? Object.values(config.models)[0];
}

function fitToModel() {
  const { input, asks, classes, layers } = model();
  for (const part of all("[data-input]")) part.hidden = part.dataset.input !== input;
  for (const part of all("[data-asks]")) part.hidden = !part.dataset.asks.split(" ").includes(asks);
  find("#tools").hidden = asks === "classes" || input !== "picture" || !state.answer;
  find("#classes").replaceChildren(...classes.map((name) => option(name)));
  fillLayers(layers);
}

function option(value, label = value) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = label;
  return made;
}

function fillLayers(layers) {
  const select = find("select[name=layer]");
  if (select) {
    const before = select.value;
    const names = [...new Set(layers.map((one) => one.name))];
    select.replaceChildren(option("", "automatic"), ...names.map((name) => option(name)));
    select.value = names.includes(before) ? before : "";
  }
  const body = find("#layers");
  if (!body) return;
  body.replaceChildren(...layers.map((layer) => layerRow(layer)));
  markLayer();
}

function layerRow(layer) {
  const row = document.createElement("tr");
  const [head, grid] = [document.createElement("th"), document.createElement("td")];
  head.scope = "row";
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.layer = layer.name;
  button.textContent = layer.name + (layer.is_default ? " (automatic)" : "");
  button.addEventListener("click", () => {
    form.elements.layer.value = layer.name;
    markLayer();
    if (hasDoc()) run();
    else fail("Choose a picture first: then a click on a layer explains it.");
  });
  head.append(button);
  grid.textContent = layer.grid.join(" × ");
  row.append(head, grid);
  return row;
}

function markLayer() {
  for (const button of all("[data-layer]")) {
    button.setAttribute("aria-pressed", button.dataset.layer === form.elements.layer.value);
  }
}

// ---- what is explained ---------------------------------------------------------------------------

function hasDoc() {
  const { input } = model();
  if (input === "picture") return Boolean(state.file || state.digest || state.example);
  if (input === "text") return Boolean(form.elements.text.value.trim());
  return Boolean(state.file || form.elements.series.value.trim());
}

function takeFile(file) {
  if (!file) return;
  Object.assign(state, { file, digest: "", name: file.name, example: "" });
  showChosen();
  clearPlaces();
  run();
}

function takeExample(name) {
  Object.assign(state, { file: null, digest: "", name, example: name });
  showChosen();
  clearPlaces();
  run();
}

function showChosen() {
  find("#chosen").textContent = state.name;
  for (const button of all("[data-example]")) {
    button.setAttribute("aria-pressed", button.dataset.example === state.example);
  }
}

function clearPlaces() {
  form.elements.box.value = "";
  form.elements.lasso.value = "";
}

// ---- asking --------------------------------------------------------------------------------------

function asked() {
  const data = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (value === "" || (name === "text" && model().input !== "text")) continue;
    if (name === "series" && model().input !== "series") continue;
    if (name === "class") {
      // A name may hold commas, as many of ImageNet's do.
      const isName = (model().classes ?? []).includes(value.trim());
      for (const one of isName ? [value] : value.split(",")) {
        if (one.trim()) data.append("class", one.trim());
      }
    } else if (name === "box") {
      for (const one of value.split(";")) if (one.trim()) data.append("box", one.trim());
    } else if (name === "layer" && !takesLayer()) continue;
    else data.append(name, value);
  }
  return data;
}

function takesLayer() {
  const method = form.elements.method?.value;
  return !method || config.atLayer.includes(method);
}

function withDoc(data) {
  const { input } = model();
  if (input === "picture") {
    if (state.example) data.set("example", state.example);
    else if (state.digest) data.set("digest", state.digest);
    else if (state.file) data.set("picture", state.file, state.name);
  } else if (input === "series" && state.file) data.set("series", state.file, state.name);
  data.set("arrays", "false");
  data.set("html", "true");
  if (page === "grade") for (const name of ["grade", "curves"]) data.set(name, "true");
  if (page === "compare") data.set("split", "true");
  return data;
}

async function run() {
  if (!hasDoc()) {
    fail(`Choose a ${model().input} first.`);
    return;
  }
  state.running?.abort();
  const control = new AbortController();
  state.running = control;
  begin();
  try {
    let answer = await ask(withDoc(asked()), control.signal);
    if (answer.status === 404 && state.file && state.digest) {
      state.digest = ""; // the server has forgotten it: send it again
      answer = await ask(withDoc(asked()), control.signal);
    }
    if (answer.error) fail(answer.error);
    else show(answer.result);
  } catch (error) {
    if (error.name !== "AbortError") fail("The server does not answer.");
    else if (state.running === control) tell("Cancelled.");
  } finally {
    if (state.running === control) end();
  }
}

// Reads the lines of an answer as they come: progress, and at last a result or an error.
async function ask(body, signal) {
  const headers = { Accept: "application/x-ndjson" };
  const response = await fetch("/api/explain", { method: "POST", body, headers, signal });
  if (!response.ok) return { status: response.status, ...(await problem(response)) };
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { error: "The answer broke off." };
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const told = JSON.parse(line);
      if (told.progress) showProgress(told.progress);
      else return told;
    }
  }
}

async function problem(response) {
  try {
    return { error: (await response.json()).error };
  } catch {
    return { error: `The server refused: ${response.status}.` };
  }
}

// ---- telling -------------------------------------------------------------------------------------

function begin() {
  find("#wrong").hidden = true;
  find("#cancel").hidden = false;
  find("#result").setAttribute("aria-busy", "true");
  showProgress({ label: "Sending", done: 0, total: null });
}

function end() {
  state.running = null;
  find("#cancel").hidden = true;
  find("#result").setAttribute("aria-busy", "false");
  if (find("#state progress")) tell("");
}

function tell(text) {
  find("#state").textContent = text;
}

function fail(message) {
  tell("");
  find("#wrong").textContent = message;
  find("#wrong").hidden = false;
}

function showProgress({ label, done, total }) {
  const bar = find("#state progress") ?? document.createElement("progress");
  bar.setAttribute("aria-label", "Progress");
  if (total === null) bar.removeAttribute("value");
  else Object.assign(bar, { max: total, value: done });
  const text = document.createElement("span");
  text.textContent = total === null ? `${label} …` : `${label}: ${done} of ${total}`;
  find("#state").replaceChildren(bar, text);
}

function show(answer) {
  if (state.digest && answer.digest && state.digest !== answer.digest) {
    answer.warnings.push("This is another picture than the one that the link was made with.");
  }
  state.answer = answer;
  state.digest = state.example ? "" : answer.digest;
  state.name = answer.name || state.name;
  showChosen();
  const before = chosenClass();
  // The server's own page, with every name in it escaped; scripts in it would not run either.
  find("#shown").innerHTML = answer.html;
  keepClass(before);
  find("#curves").innerHTML = answer.curves_html ?? "";
  const isTold = (text) => answer.explanations.some((one) => one.description?.includes(text));
  find("#notes").replaceChildren(...answer.warnings.filter((one) => !isTold(one)).map(note));
  if (page === "compare") {
    const columns = Math.max(...answer.explanations.map((one) => one.targets.length), 1);
    find("#shown").style.setProperty("--columns", columns);
  }
  showAfter(answer);
  fitToModel();
  startDrawing(answer.size, placeDrawn);
  tell(`Explained in ${answer.seconds.toFixed(2)} s.`);
  history.replaceState(null, "", link());
}

function note(text) {
  const made = document.createElement("p");
  made.className = "note";
  made.textContent = text;
  return made;
}

function chosenClass() {
  return find("#shown input[type=radio]:checked")?.getAttribute("aria-label")?.split(",")[0];
}

function keepClass(label) {
  const same = all("#shown input[type=radio]").find(
    (one) => one.getAttribute("aria-label").split(",")[0] === label,
  );
  if (same) same.checked = true;
}

function showAfter(answer) {
  find("#after").hidden = false;
  find("#code").hidden = true;
  find("#copied").textContent = "";
  find("#save-mask").hidden = !answer.has_mask;
  find("#save-png").hidden = model().input === "text";
  for (const ending of ["html", "png", "json"]) {
    find(`#save-${ending}`).href = `/api/results/${answer.result}/${ending}`;
  }
  find("#save-mask").href = `/api/results/${answer.result}/mask.png`;
}

function placeDrawn(shape, text) {
  clearPlaces();
  form.elements[shape].value = text;
  if (text) run();
}

// ---- links ---------------------------------------------------------------------------------------

function link() {
  const query = new URLSearchParams();
  for (const [name, value] of asked()) {
    const field = form.elements[name];
    const isDefault = field?.tagName === "SELECT" && field.value === initial(field);
    if (!isDefault && String(value).length <= LINKED) query.append(name, value);
  }
  if (model().input === "picture") {
    if (state.example) query.set("example", state.example);
    else if (state.digest) {
      query.set("digest", state.digest);
      query.set("name", state.name);
    }
  }
  const text = query.toString();
  return `${location.origin}/${page}${text && `?${text}`}`;
}

function initial(select) {
  return ([...select.options].find((one) => one.defaultSelected) ?? select.options[0])?.value;
}

function followLink() {
  const query = new URLSearchParams(location.search);
  for (const name of new Set(query.keys())) fill(name, query.getAll(name));
  state.example = config.examples.includes(query.get("example")) ? query.get("example") : "";
  if (/^[0-9a-f]{64}$/.test(query.get("digest") ?? "")) state.digest = query.get("digest");
  state.name = state.example || (query.get("name") ?? "");
  fitToModel();
  if (query.has("layer")) fill("layer", query.getAll("layer"));
  markLayer();
  showChosen();
  if (query.size && hasDoc()) run();
}

function fill(name, values) {
  const field = form.elements[name];
  const isField = field instanceof Element || field instanceof RadioNodeList;
  if (!isField || field.type === "file" || ["example", "digest", "name"].includes(name)) return;
  const boxes = all(`input[type=checkbox][name="${name}"]`, form);
  if (boxes.length) for (const box of boxes) box.checked = values.includes(box.value);
  else field.value = values.join(name === "box" ? ";" : ",");
}

async function copy(text, what) {
  const code = find("#code");
  code.hidden = what === "link";
  code.textContent = text;
  try {
    await navigator.clipboard.writeText(text);
    find("#copied").textContent = `Copied the ${what}.`;
  } catch {
    code.hidden = false; // where a browser does not let pages copy
    find("#copied").textContent = "Copy it from below.";
    getSelection().selectAllChildren(code);
  }
}

// ---- what listens --------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
form.addEventListener("change", ({ target }) => {
  if (target.name === "model") fitToModel();
  if (target.name === "method") showGoodFor();
  const isChoice = target.tagName === "SELECT" || target.name === "signed";
  if (isChoice && state.answer && page !== "compare" && hasDoc()) run();
});
form.elements.series?.addEventListener("input", () => {
  state.file = null; // what is typed counts
  find("#table").value = "";
});
find("#cancel").addEventListener("click", () => state.running?.abort());
find("#file").addEventListener("change", ({ target }) => takeFile(target.files[0]));
find("#table").addEventListener("change", ({ target }) => takeFile(target.files[0]));
for (const button of all("[data-example]")) {
  button.addEventListener("click", () => takeExample(button.dataset.example));
}
document.addEventListener("paste", ({ clipboardData }) => {
  const file = [...clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file && model().input === "picture") takeFile(file);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("#drop").classList.add("over");
});
document.addEventListener("dragleave", () => find("#drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("#drop").classList.remove("over");
  takeFile(event.dataTransfer.files[0]);
});
find("#clear").addEventListener("click", () => {
  clearPlaces();
  run();
});
find("#copy-link").addEventListener("click", () => copy(link(), "link"));
find("#copy-python").addEventListener("click", () => copy(state.answer.python.join("\n"), "Python"));
find("#copy-command").addEventListener("click", () => {
  copy(state.answer.command.join("\n"), "command");
});

function showGoodFor() {
  const hint = find("#good-for");
  if (hint) hint.textContent = form.elements.method.selectedOptions[0].title;
}

followLink();
showGoodFor();
