// The page that tries the model: it asks the REST API as any app does, and paints the index mask with the palette.

const LONGEST_SIDE = 2048; // Of what is drawn: some phones show nothing on larger canvases.
const JPEG_QUALITY = 0.92;
const LOOK_AGAIN_MS = 3000;
const TITLES = { 0: "The server cannot be reached", 429: "The server is busy", 503: "The server is not ready" };

const at = (id) => document.getElementById(id);
const palette = fetch("page/palette.json").then((response) => response.json());

let sent = null; // The file that the page is about.
let under = null; // What stops the request under way.
let shown = null; // The answer that is drawn: names, fractions, indices, the size of the view, hidden classes.

// What is served

async function servedModel() {
  const response = await fetch("readyz");
  const { model, labels } = await response.json();
  if (!response.ok || !model) throw new Refusal(503, "It has no model yet.");
  tellModel(model, labels.stable);
  return model;
}

async function waitForModel() {
  try {
    await servedModel();
    if (at("status").dataset.why === "model") say("");
  } catch (error) {
    const why = error instanceof Refusal ? "The server has no model yet." : "The server cannot be reached.";
    if (!sent) say(`${why} This page looks again by itself.`, "model");
    setTimeout(waitForModel, LOOK_AGAIN_MS);
  }
}

function tellModel(model, version) {
  at("model").textContent = model;
  at("version").textContent = version ? `Version ${version} is served.` : "";
  document.title = `${model} – try the model`;
}

// Asking

async function show(file) {
  under?.abort();
  under = new AbortController();
  const { signal } = under;
  sent = file;
  forget();
  say("Looking at the picture…", "busy");
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (signal.aborted) return;
  drawPicture(bitmap);
  const began = performance.now();
  try {
    const answer = await ask(await servedModel(), file, signal);
    if (signal.aborted) return;
    await drawAnswer(answer, (performance.now() - began) / 1000);
    say("");
  } catch (error) {
    if (!signal.aborted) tell(error, bitmap);
  }
}

async function ask(model, file, signal) {
  const body = `{"instances":[{"b64":"${await base64(file)}"}]}`;
  const response = await fetch(`v1/models/${encodeURIComponent(model)}:predict`, { method: "POST", body, signal });
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, document.error ?? `HTTP status ${response.status}`);
  return { row: document.predictions[0], version: response.headers.get("Segpipe-Model-Version"), model };
}

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function base64(file) {
  const reader = new FileReader();
  await new Promise((done, failed) => {
    reader.onload = done;
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  return reader.result.slice(reader.result.indexOf(",") + 1);
}

// Telling

function say(text, why = "") {
  at("status").textContent = text;
  at("status").hidden = !text;
  at("status").dataset.why = why;
  at("status").classList.toggle("busy", why === "busy");
}

function tell(error, bitmap) {
  say("");
  const status = error instanceof Refusal ? error.status : 0;
  const refused = status === 400 || status === 413;
  at("error-title").textContent = refused ? "The server refuses this picture" : TITLES[status] ?? "The server could not answer";
  at("error-text").textContent = status === 0 ? "It may have stopped, or the picture is too large for it." : error.message;
  const limit = /over the limit of (\d+) pixels/.exec(error.message);
  const tooLarge = bitmap && (limit || status === 413);
  at("smaller").hidden = !tooLarge;
  if (tooLarge) {
    const half = (bitmap.width * bitmap.height) / 2;
    at("smaller").onclick = async () => show(await smallerCopy(bitmap, limit ? Math.min(Number(limit[1]), half) : half));
  }
  at("again").hidden = refused;
  at("error").hidden = false;
}

async function smallerCopy(bitmap, pixels) {
  const scale = Math.sqrt(pixels / (bitmap.width * bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(bitmap.width * scale));
  canvas.height = Math.max(1, Math.floor(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", JPEG_QUALITY));
  return new File([blob], `${stem()}.small.jpg`, { type: blob.type });
}

// Drawing

function forget() {
  shown = null;
  at("error").hidden = true;
  at("result").hidden = true;
  document.body.classList.add("has-picture");
}

function view(bitmap) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  return [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
}

function drawPicture(bitmap) {
  if (!bitmap) return;
  const canvas = at("picture");
  [canvas.width, canvas.height] = view(bitmap);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  at("mask").width = at("mask").height = 1;
  at("stage").style.setProperty("--width", canvas.width);
  at("stage").style.setProperty("--height", canvas.height);
  at("stage").setAttribute("aria-label", "The picture");
  at("result").classList.add("no-mask");
  at("result").hidden = false;
}

async function drawAnswer({ row, version, model }, seconds) {
  const png = new Blob([fromBase64(row.mask_bytes.b64)], { type: "image/png" });
  const mask = await createImageBitmap(png, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const [width, height] = view(mask);
  const fractions = row.class_fractions;
  shown = {
    names: row.class_names ?? fractions.map((_, index) => `class ${index}`),
    colours: (await palette).map((hex) => [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16))),
    indices: indicesOf(mask, width, height),
    hidden: new Set(),
    ...{ fractions, png, mask, width, height },
  };
  listClasses();
  paint();
  at("confidence").textContent = percent(row.mean_confidence);
  at("size").textContent = `${mask.width} × ${mask.height}`;
  at("seconds").textContent = `${seconds.toFixed(2)} s`;
  if (version) tellModel(model, version);
  at("result").classList.remove("no-mask");
  at("result").hidden = false;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// The class of each pixel that is shown; without smoothing, or there would be classes between classes.
function indicesOf(mask, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(mask, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const indices = new Uint8Array(width * height);
  for (let pixel = 0; pixel < indices.length; pixel++) indices[pixel] = data[4 * pixel];
  return indices;
}

function paint() {
  const { indices, width, height, colours, hidden } = shown;
  const canvas = at("mask");
  canvas.width = width;
  canvas.height = height;
  const table = new Uint32Array(new Uint8Array(colours.flatMap((rgb, index) => [...rgb, hidden.has(index) ? 0 : 255])).buffer);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let pixel = 0; pixel < pixels.length; pixel++) pixels[pixel] = table[indices[pixel]];
  canvas.getContext("2d").putImageData(image, 0, 0);
  setOpacity();
}

function setOpacity() {
  at("mask").style.opacity = at("opacity").value / 100;
  at("opacity-value").textContent = `${at("opacity").value} %`;
}

function listClasses() {
  const { names, fractions } = shown;
  const present = names.map((_, index) => index).filter((index) => fractions[index] > 0);
  present.sort((one, other) => fractions[other] - fractions[one]);
  at("classes").replaceChildren(...present.map(classItem));
  const absent = names.filter((_, index) => !(fractions[index] > 0));
  at("absent").hidden = !absent.length;
  at("absent").textContent = absent.length > 8 ? `${absent.length} classes are not in it.` : `Not in it: ${absent.join(", ")}.`;
  const told = present.slice(0, 8).map((index) => `${names[index]} ${percent(fractions[index])}`);
  at("stage").setAttribute("aria-label", `The picture under its mask: ${told.join(", ")}`);
}

function classItem(index) {
  const { names, fractions, colours, hidden } = shown;
  const make = (tag, name, text) => Object.assign(document.createElement(tag), { className: name, textContent: text });
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  box.addEventListener("change", () => {
    box.checked ? hidden.delete(index) : hidden.add(index);
    paint();
  });
  const colour = `rgb(${colours[index].join(" ")})`;
  const swatch = make("span", "swatch", "");
  swatch.style.backgroundColor = colour;
  const bar = make("span", "bar", "");
  const filled = bar.appendChild(document.createElement("i"));
  filled.style.width = `${100 * fractions[index]}%`;
  filled.style.backgroundColor = colour;
  const label = document.createElement("label");
  label.append(box, swatch, make("span", "name", names[index]), make("span", "share", percent(fractions[index])), bar);
  const item = document.createElement("li");
  item.append(label);
  return item;
}

function percent(share) {
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

function pointAt(event) {
  if (!shown) return;
  const box = at("mask").getBoundingClientRect();
  const x = Math.floor(((event.clientX - box.left) / box.width) * shown.width);
  const y = Math.floor(((event.clientY - box.top) / box.height) * shown.height);
  if (x < 0 || y < 0 || x >= shown.width || y >= shown.height) return;
  const toOwn = shown.mask.width / shown.width;
  const name = shown.names[shown.indices[y * shown.width + x]];
  at("pointed").textContent = `${Math.floor(x * toOwn)}, ${Math.floor(y * toOwn)}: ${name}`;
}

// Taking home

function stem() {
  return (sent?.name ?? "picture").replace(/\.[^.]*$/, "");
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function downloadOverlay() {
  const canvas = document.createElement("canvas");
  canvas.width = shown.width;
  canvas.height = shown.height;
  const context = canvas.getContext("2d");
  context.drawImage(at("picture"), 0, 0, shown.width, shown.height);
  context.globalAlpha = at("opacity").value / 100;
  context.drawImage(at("mask"), 0, 0);
  download(await new Promise((done) => canvas.toBlob(done, "image/png")), `${stem()}.overlay.png`);
}

// What a person does

for (const id of ["file", "camera"]) {
  at(id).addEventListener("change", () => {
    const [file] = at(id).files;
    if (file) show(file);
    at(id).value = ""; // The same file may be chosen again.
  });
}
at("again").addEventListener("click", () => show(sent));
at("opacity").addEventListener("input", setOpacity);
at("stage").addEventListener("pointermove", pointAt);
at("stage").addEventListener("pointerdown", pointAt);
at("download-mask").addEventListener("click", () => download(shown.png, `${stem()}.mask.png`));
at("download-overlay").addEventListener("click", downloadOverlay);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("choose").classList.add("over");
});
for (const left of ["dragleave", "drop"]) {
  document.addEventListener(left, () => at("choose").classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) show(file);
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) show(file);
});

waitForModel();
