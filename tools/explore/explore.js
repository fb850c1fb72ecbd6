// Draws, asks the network, shows the answer. The latest picture wins: one question is under way at
// a time, and what was drawn meanwhile is the next.
"use strict";

const byId = (id) => document.getElementById(id);
const board = byId("board"), input = byId("input");
const small = input.getContext("2d", { willReadFrequently: true });
const ink = board.getContext("2d", { willReadFrequently: true });

let network = null;     // what /about says
let loaded = null;      // pixels of a picture that was opened, until something is drawn
let shown = null;       // the class that was chosen; null for the likeliest
let change = [];        // added to the pose
let waiting = false, busy = false;

function say(text, wrong = false) {
  byId("message").textContent = text;
  byId("message").classList.toggle("error", wrong);
}

async function ask(path, body) {
  const response = await fetch(path, body === undefined ? {} : { method: "POST", body });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// --- drawing

const darkInk = () => network.background > 0.5;
const paper = () => (darkInk() ? "#fff" : "#000");

function clear() {
  ink.fillStyle = paper();
  ink.fillRect(0, 0, board.width, board.height);
  loaded = null;
  forgetPose();
  shrink();
  waiting = false; // an answer that is under way is not shown
  byId("verdict").textContent = "What it reads";
  for (const id of ["decoded", "poses", "routing"]) byId(id).hidden = true;
  for (const row of byId("scores").children) {
    row.className = "";
    row.querySelector(".track span").style.width = 0;
    row.querySelector(".number").textContent = "";
  }
}

function at(event) {
  const box = board.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width * board.width,
    (event.clientY - box.top) / box.height * board.height];
}

let last = null;
board.addEventListener("pointerdown", (event) => {
  if (!network) return;
  board.setPointerCapture(event.pointerId);
  if (loaded) clear();
  say("");
  last = at(event);
  stroke(event);
});
board.addEventListener("pointermove", (event) => {
  if (last) for (const each of event.getCoalescedEvents?.() ?? [event]) stroke(each);
});
for (const end of ["pointerup", "pointercancel"])
  board.addEventListener(end, () => { last = null; });

function stroke(event) {
  const to = at(event);
  ink.strokeStyle = darkInk() ? "#000" : "#fff";
  ink.lineWidth = board.width / 13;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(...last);
  ink.lineTo(...to);
  ink.stroke();
  last = to;
  forgetPose();
  update();
}

/// Where ink is: its box and its centre of mass, or null.
function inked() {
  const { data, width, height } = ink.getImageData(0, 0, board.width, board.height);
  let left = width, right = -1, top = height, bottom = -1, mass = 0, x = 0, y = 0;
  for (let row = 0; row < height; row += 2)
    for (let column = 0; column < width; column += 2) {
      const light = data[(row * width + column) * 4];
      const amount = darkInk() ? 255 - light : light;
      if (amount < 32) continue;
      left = Math.min(left, column), right = Math.max(right, column);
      top = Math.min(top, row), bottom = Math.max(bottom, row);
      mass += amount, x += amount * column, y += amount * row;
    }
  return mass ? { size: Math.max(right - left, bottom - top) + 2, x: x / mass, y: y / mass } : null;
}

/// The drawing as large as the network's pictures. Centred as MNIST is: the ink in a box of 20 of 28
/// pixels, its centre of mass in the middle.
function shrink() {
  const { width, height } = input;
  small.imageSmoothingQuality = "high";
  small.fillStyle = paper();
  small.fillRect(0, 0, width, height);
  const where = byId("centre").checked && inked();
  if (!where) {
    small.drawImage(board, 0, 0, width, height);
    return;
  }
  const scale = 20 / 28 * Math.min(width, height) / where.size;
  // In steps of a half, so that no pixel of the drawing is skipped.
  let from = board, factor = 1;
  while (scale / factor < 0.5) {
    const half = document.createElement("canvas");
    half.width = from.width / 2, half.height = from.height / 2;
    half.getContext("2d").drawImage(from, 0, 0, half.width, half.height);
    from = half, factor /= 2;
  }
  small.drawImage(from, width / 2 - where.x * scale, height / 2 - where.y * scale,
    board.width * scale, board.height * scale);
}

function pixels() {
  if (loaded) return loaded;
  shrink();
  const { data } = small.getImageData(0, 0, input.width, input.height);
  const out = [];
  for (let n = 0; n < data.length; n += 4)
    for (let c = 0; c < network.channels; ++c) out.push(Math.round(data[n + c] / 255 * 1000) / 1000);
  return out;
}

// --- pictures from files

async function open(file) {
  try {
    loaded = (await ask("read", file)).pixels;
  } catch (error) {
    say(error.message, true);
    return;
  }
  const { width, height } = input, image = small.createImageData(width, height);
  for (let n = 0; n < width * height; ++n)
    for (let c = 0; c < 4; ++c)
      image.data[n * 4 + c] = c === 3 ? 255 : 255 * loaded[n * network.channels + Math.min(c, network.channels - 1)];
  small.putImageData(image, 0, 0);
  ink.imageSmoothingEnabled = false;
  ink.drawImage(input, 0, 0, board.width, board.height);
  say(file.name ?? "a picture");
  forgetPose();
  update();
}

byId("open").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  if (event.target.files[0]) open(event.target.files[0]);
  event.target.value = "";
});
for (const kind of ["dragover", "dragleave", "drop"])
  addEventListener(kind, (event) => {
    event.preventDefault();
    board.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });

// --- asking and showing

function forgetPose() {
  shown = null;
  change = [];
}

/// Whether there is anything to read.
const blank = () => !loaded && !inked();

async function update() {
  waiting = !blank();
  if (busy || !network) return;
  busy = true;
  while (waiting) {
    waiting = false;
    const question = { pixels: pixels() };
    if (shown !== null) question.class = shown;
    if (change.length) question.pose = change;
    try {
      const answer = await ask("explain", JSON.stringify(question));
      if (!blank()) show(answer);
    } catch (error) {
      say(error.message, true);
    }
  }
  busy = false;
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function show(answer) {
  byId("verdict").textContent = `It reads ${answer.read.map((k) => network.classes[k]).join(" and ")}`;
  answer.scores.forEach((score, k) => {
    const row = byId("scores").children[k];
    row.className = `${answer.read.includes(k) ? "winner" : ""} ${k === answer.class ? "shown" : ""}`;
    row.querySelector(".track span").style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
    row.querySelector(".number").textContent = score.toFixed(2);
  });
  byId("decoded").hidden = byId("poses").hidden = !answer.reconstruction;
  if (answer.reconstruction) {
    byId("reconstruction").src = answer.reconstruction;
    byId("reconstruction").alt = `Reconstruction of ${network.classes[answer.class]}`;
    byId("shown").textContent = network.classes[answer.class];
    showSliders(answer.pose, answer.class);
  }
  byId("routing").hidden = !answer.routing;
  if (answer.routing) showRouting(answer);
  byId("frames").hidden = !answer.frames;
  if (answer.frames) byId("frames-picture").src = answer.frames;
}

function showSliders(pose, k) {
  const sliders = byId("sliders");
  while (sliders.children.length > pose.length) sliders.lastChild.remove();
  for (let d = sliders.children.length; d < pose.length; ++d) {
    const label = element("label"), slider = element("input", undefined,
      { type: "range", min: -0.5, max: 0.5, step: 0.01, value: 0, "aria-label": `dimension ${d + 1}` });
    label.append(element("span"), slider);
    slider.addEventListener("input", () => {
      shown = Number(sliders.dataset.class);
      change = [...sliders.querySelectorAll("input")].map((each) => each.valueAsNumber);
      update();
    });
    sliders.append(label);
  }
  sliders.dataset.class = k;
  pose.forEach((value, d) => {
    const label = sliders.children[d], moved = change[d] ?? 0;
    label.querySelector("span").textContent = `${d + 1}: ${(value + moved).toFixed(2)}`;
    if (!change.length) label.querySelector("input").value = 0;
  });
}

function showRouting(answer) {
  byId("range").textContent = "Coupling times activation, the mean over the places that see a pixel: " +
    `dark is ${answer.least.toPrecision(3)}, bright ${answer.most.toPrecision(3)}.`;
  const maps = byId("maps");
  maps.replaceChildren();
  answer.routing.forEach((entry, c) => {
    const name = network.classes[entry.class];
    maps.append(element("h3", answer.read.includes(entry.class) ? `for ${name}` : `for the runner-up, ${name}`));
    const row = element("div", undefined, { class: "maps" });
    const add = (src, caption, alt) => {
      const figure = element("figure");
      figure.append(element("img", undefined, { src, alt }), element("figcaption", caption));
      row.append(figure);
    };
    entry.maps.forEach((src, t) => add(src, `iteration ${t + 1}: ${(100 * entry.shares[t]).toFixed(2)} %`,
      `Heat map of the evidence for ${name} in iteration ${t + 1}`));
    if (entry.maps.length > 1)
      add(entry.moved, "gained by routing orange, lost blue", `Where routing moved evidence to ${name}, in orange, or away, in blue`);
    add(entry.types, "what the strongest types see", `Boxes around what the strongest types for ${name} see`);
    maps.append(row);
  });
}

async function start() {
  network = await ask("about");
  byId("caption").textContent = network.reconstructs
    ? "activation of each class capsule: choose one to reconstruct" : "activation of each class capsule";
  byId("about").textContent = `${network.name}: ${network.network}, trained on ${network.data}`;
  input.width = network.width, input.height = network.height;
  network.classes.forEach((name, k) => {
    const row = element("tr"), head = element("th", undefined, { scope: "row" });
    const button = element("button", name, { type: "button" });
    button.disabled = !network.reconstructs;
    button.addEventListener("click", () => { shown = k, change = [], update(); });
    head.append(button);
    const track = element("td", undefined, { class: "track" });
    track.append(element("span"));
    row.append(head, track, element("td", "", { class: "number" }));
    byId("scores").append(row);
  });
  byId("clear").addEventListener("click", clear);
  byId("centre").addEventListener("change", () => { if (!loaded) forgetPose(), update(); });
  byId("reset").addEventListener("click", () => { change = [], update(); });
  clear();
}

start().catch((error) => say(error.message, true));
