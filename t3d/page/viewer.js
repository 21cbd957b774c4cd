// The controls of the viewer; what they draw is in slices.js, which stands before this in the page.

const DIRECTIONS = ["RL", "AP", "SI"]; // of positive and negative millimetres
const KEYS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
const WHEEL = 40; // pixels of the wheel a slice

function element(kind, ...content) {
  const made = document.createElement(kind);
  made.append(...content);
  return made;
}

function inMillimetres(position, axis) {
  return `${Math.abs(position).toFixed(0)} mm ${DIRECTIONS[axis][position < 0 ? 1 : 0]}`;
}

// A value of a map with no more digits than its 255 steps carry.
function inSteps(value, { low, high }) {
  const digits = Math.floor(-Math.log10((high - low || 1) / 255));
  return value.toFixed(Math.min(Math.max(digits, 0), 20));
}

function startViewer(section) {
  const find = (name) => section.querySelector(name);
  const { classes, cases } = JSON.parse(find(".data").textContent);
  const hidden = new Set(); // values of classes
  const state = { at: [0, 0, 0], shown: null, asked: 0, bare: false };
  const views = [...section.querySelectorAll("figure")].map((figure) => ({
    figure,
    plane: PLANES[figure.dataset.plane],
    canvas: figure.querySelector("canvas"),
    slider: figure.querySelector("input"),
    place: figure.querySelector(".place"),
  }));

  // Fills a choice of layers; what was chosen before stays, where this case has it.
  function offer(select, layers, first) {
    const before = select.selectedOptions[0]?.text;
    const names = layers.map(({ name }) => name);
    select.replaceChildren(new Option("nothing", ""), ...names.map((name, i) => new Option(name, i)));
    const again = before === "nothing" ? -1 : names.indexOf(before);
    const chosen = before === undefined || (again < 0 && before !== "nothing") ? first : again;
    select.value = chosen >= 0 && chosen < names.length ? chosen : "";
    select.disabled = !names.length;
  }

  function layer(name, layers) {
    const { value } = find(name);
    return value === "" || state.bare ? null : layers[Number(value)];
  }

  function style() {
    const { labels, maps } = state.shown;
    return {
      level: Number(find(".level").value),
      width: Math.max(1, Number(find(".width").value)),
      opacity: Number(find(".opacity").value),
      cross: find(".cross").checked,
      outlined: layer(".outline", labels),
      filled: layer(".fill", labels),
      mapped: layer(".map", maps),
    };
  }

  function draw() {
    if (!state.shown) return;
    const { image, spacing, origin } = state.shown;
    const now = style();
    for (const { plane, canvas, slider, place } of views) {
      drawSlice(canvas, plane, state.shown, state.at, classes, hidden, now);
      const [at, last] = [state.at[plane.along], image.shape[plane.along] - 1];
      [slider.max, slider.value] = [last, at];
      const position = inMillimetres(origin[plane.along] + at * spacing[plane.along], plane.along);
      place.textContent = `${at + 1} of ${last + 1}, ${position}`;
      canvas.dataset.slice = at;
    }
    scale(now.mapped);
    say(state.at);
  }

  // The colours of a map and its values.
  function scale(map) {
    find(".scale").hidden = !map;
    if (!map) return;
    const context = find(".scale canvas").getContext("2d");
    for (let x = 0; x < 128; x++) {
      context.fillStyle = `rgb(${ramp(x / 127).join(" ")})`;
      context.fillRect(x, 0, 1, 10);
    }
    find(".low").textContent = inSteps(map.low, map);
    find(".high").textContent = inSteps(map.high, map);
  }

  // What stands in a voxel, in words.
  function say(at) {
    const { image, labels, maps, spacing, origin } = state.shown;
    const where = at.map((i, axis) => inMillimetres(origin[axis] + i * spacing[axis], axis)).join(", ");
    const words = [where, `${valueAt(image, at)} HU`];
    for (const label of labels) {
      const value = valueAt(label, at);
      words.push(`${label.name}: ${value ? classes[value - 1].name : "none"}`);
    }
    const map = layer(".map", maps);
    const level = map && levelAt(map, at);
    if (level !== null) words.push(`${map.name}: ${inSteps(map.low + (level / 255) * (map.high - map.low), map)}`);
    find("output").textContent = words.join(" · ");
  }

  function move(axis, to) {
    if (!state.shown) return;
    const at = Math.min(Math.max(to, 0), state.shown.image.shape[axis] - 1);
    if (at === state.at[axis]) return;
    state.at[axis] = at;
    draw();
  }

  function listen({ plane, canvas, slider }) {
    let wheeled = 0;
    const step = (by) => move(plane.along, state.at[plane.along] + by);
    const turn = (event) => {
      if (event.ctrlKey) return; // zooms the page
      event.preventDefault();
      wheeled += event.deltaMode ? event.deltaY * WHEEL : event.deltaY;
      const steps = Math.trunc(wheeled / WHEEL);
      wheeled -= steps * WHEEL;
      if (steps) step(-steps);
    };
    const point = (event) => {
      if (!state.shown) return;
      const at = voxelUnder(canvas, plane, state.shown.image, state.at, event);
      if (!at || !event.buttons) return say(at ?? state.at);
      state.at = at;
      draw();
    };
    canvas.addEventListener("wheel", turn, { passive: false });
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerleave", () => state.shown && say(state.at));
    canvas.addEventListener("keydown", (event) => {
      if (!(event.key in KEYS) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      step(KEYS[event.key]);
    });
    slider.addEventListener("input", () => move(plane.along, Number(slider.value)));
  }

  // The classes that this case has, each to be hidden.
  function legend() {
    const present = new Set();
    for (const { voxels } of state.shown.labels) for (const value of voxels) if (value) present.add(value);
    const items = [...present].sort((one, other) => one - other).map((value) => {
      const [box, swatch] = [element("input"), element("i")];
      box.type = "checkbox";
      box.checked = !hidden.has(value);
      box.addEventListener("change", () => {
        hidden[box.checked ? "delete" : "add"](value);
        draw();
      });
      swatch.style.background = classes[value - 1].colour;
      return element("li", element("label", box, swatch, classes[value - 1].name));
    });
    find(".classes").replaceChildren(...items);
  }

  function facts(table) {
    find(".facts").hidden = !table;
    if (!table) return;
    const head = element("tr", ...table.columns.map((name) => element("th", name)));
    const rows = table.rows.map(([first, ...cells]) =>
      element("tr", element("th", first), ...cells.map((cell) => element("td", cell))));
    find(".facts table").replaceChildren(element("thead", head), element("tbody", ...rows));
  }

  async function show(chosen) {
    const turn = ++state.asked;
    section.dataset.state = "loading";
    const [image, labels, maps] = await Promise.all([
      unpack(chosen.image), Promise.all(chosen.labels.map(unpack)), Promise.all(chosen.maps.map(unpack)),
    ]);
    if (turn !== state.asked) return; // another case was chosen meanwhile
    state.shown = { ...chosen, image, labels, maps };
    state.at = [...chosen.start];
    offer(find(".outline"), labels, 0);
    offer(find(".fill"), labels, 1);
    offer(find(".map"), maps, labels.length ? -1 : 0);
    find(".note").textContent = chosen.note;
    legend();
    facts(chosen.facts);
    draw();
    section.dataset.state = "ready";
  }

  function choose() {
    show(cases[Number(find(".case").value)]).catch((error) => {
      find(".trouble").hidden = false;
      find(".trouble").textContent = `This case cannot be shown by this browser (${error.message}).`;
      section.dataset.state = "failed";
      throw error;
    });
  }

  function preset() {
    if (!find(".window").value) return;
    [find(".level").value, find(".width").value] = find(".window").value.split(",");
    draw();
  }

  find(".case").append(...cases.map(({ name }, i) => new Option(name, i)));
  find(".case").addEventListener("change", choose);
  find(".window").addEventListener("change", preset);
  for (const name of [".level", ".width"])
    find(name).addEventListener("input", () => {
      find(".window").value = "";
      draw();
    });
  for (const name of [".outline", ".fill", ".map", ".opacity", ".cross"]) find(name).addEventListener("input", draw);
  find(".layout").addEventListener("change", () => {
    const { value } = find(".layout");
    for (const { figure } of views) figure.hidden = value !== "all" && value !== figure.dataset.plane;
  });
  section.addEventListener("keydown", (event) => {
    if (event.key !== "o" || event.target.matches("input, select")) return;
    state.bare = !state.bare;
    draw();
  });
  views.forEach(listen);
  preset();
  choose();
}

document.querySelectorAll(".viewer").forEach(startViewer);
