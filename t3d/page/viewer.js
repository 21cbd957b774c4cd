"use strict";
// Scrolls through CT volumes with labels and maps on them. Volumes are in RAS order, x fastest: voxel (x, y, z) is
// number x + X * (y + Y * z). All planes are drawn with both axes turned, so that the patient's right, front and head
// are on the left and on top, as radiologists read them.
(() => {
  const PLANES = {
    axial: { across: 0, up: 1, along: 2, letters: "RLAP" },
    coronal: { across: 0, up: 2, along: 1, letters: "RLSI" },
    sagittal: { across: 1, up: 2, along: 0, letters: "APSI" },
  };
  const DIRECTIONS = ["RL", "AP", "SI"]; // of positive and negative millimetres
  const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array };
  const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // inferno
  const SIDE = 640; // pixels of the longest side of a case

  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new TYPES[packed.type](await new Response(stream).arrayBuffer());
  }

  function ramp(share) {
    const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    return RAMP[low].map((value, i) => value + (place - low) * (RAMP[low + 1][i] - value));
  }

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  function start(section) {
    const find = (name) => section.querySelector(name);
    const { classes, cases } = JSON.parse(find(".data").textContent);
    const colours = [[0, 0, 0], ...classes.map((one) => rgb(one.colour))];
    const hidden = new Set();
    const state = { at: [0, 0, 0], shown: null, asked: 0, bare: false };
    const views = [...section.querySelectorAll("figure")].map((figure) => ({
      figure,
      plane: PLANES[figure.dataset.plane],
      canvas: figure.querySelector("canvas"),
      slider: figure.querySelector("input"),
      place: figure.querySelector(".place"),
    }));

    function options(select, names, chosen) {
      const values = names.map((name, i) => [String(i), name]);
      if (select !== find(".case")) values.unshift(["", "nothing"]);
      select.replaceChildren(...values.map(([value, name]) => new Option(name, value)));
      select.value = chosen;
      select.disabled = !names.length;
    }

    const layer = (name, list) => {
      const value = find(name).value;
      return value === "" || state.bare ? null : list[Number(value)];
    };
    const outlined = () => layer(".outline", state.shown.labels);
    const filled = () => layer(".fill", state.shown.labels);
    const mapped = () => layer(".map", state.shown.maps);

    function number(at, shape) {
      return at[0] + shape[0] * (at[1] + shape[1] * at[2]);
    }

    function mapLevel(map, at) {
      const place = at.map((i, axis) => Math.round(i * map.scale[axis] + map.offset[axis]));
      if (place.some((i, axis) => i < 0 || i >= map.shape[axis])) return null;
      return map.voxels[number(place, map.shape)];
    }

    // Calls paint(voxel, pixel) for every pixel of a plane's slice, from the upper left.
    function scan(plane, paint) {
      const { shape } = state.shown.image;
      const at = [...state.at];
      let pixel = 0;
      for (at[plane.up] = shape[plane.up] - 1; at[plane.up] >= 0; at[plane.up]--)
        for (at[plane.across] = shape[plane.across] - 1; at[plane.across] >= 0; at[plane.across]--) paint(at, pixel++);
    }

    function picture(plane, colour) {
      const { shape } = state.shown.image;
      const sheet = new OffscreenCanvas(shape[plane.across], shape[plane.up]);
      const context = sheet.getContext("2d");
      const pixels = context.createImageData(sheet.width, sheet.height);
      scan(plane, (at, pixel) => {
        const found = colour(at);
        if (found) pixels.data.set(found, 4 * pixel);
      });
      context.putImageData(pixels, 0, 0);
      return sheet;
    }

    function greyOf(plane) {
      const { shape, voxels } = state.shown.image;
      const [level, width] = [Number(find(".level").value), Math.max(1, Number(find(".width").value))];
      return picture(plane, (at) => {
        const grey = 255 * ((voxels[number(at, shape)] - level) / width + 0.5);
        return [grey, grey, grey, 255];
      });
    }

    function fillOf(plane, { shape, voxels }) {
      return picture(plane, (at) => {
        const value = voxels[number(at, shape)];
        return value && !hidden.has(value) ? [...colours[value], 255] : null;
      });
    }

    function mapOf(plane, map) {
      return picture(plane, (at) => {
        const level = mapLevel(map, at);
        return level === null ? null : [...ramp(level / 255), Math.min(255, 40 + level)];
      });
    }

    // Strokes where a class ends, along the edges of voxels.
    function outline(context, plane, { shape, voxels }, across, down) {
      const [columns, rows] = [shape[plane.across], shape[plane.up]];
      const seen = new Uint16Array(columns * rows);
      scan(plane, (at, pixel) => {
        const value = voxels[number(at, shape)];
        seen[pixel] = hidden.has(value) ? 0 : value;
      });
      const paths = new Map();
      const stroke = (value, x0, y0, x1, y1) => {
        if (!value) return;
        if (!paths.has(value)) paths.set(value, new Path2D());
        paths.get(value).moveTo(x0 * across, y0 * down);
        paths.get(value).lineTo(x1 * across, y1 * down);
      };
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++) {
          const value = seen[y * columns + x];
          const right = x + 1 < columns ? seen[y * columns + x + 1] : 0;
          const below = y + 1 < rows ? seen[(y + 1) * columns + x] : 0;
          if (right !== value) stroke(value || right, x + 1, y, x + 1, y + 1);
          if (below !== value) stroke(value || below, x, y + 1, x + 1, y + 1);
        }
      context.lineWidth = 2;
      for (const [value, path] of paths) {
        context.strokeStyle = classes[value - 1].colour;
        context.stroke(path);
      }
    }

    function draw({ plane, canvas, slider, place }) {
      const { image, spacing, origin } = state.shown;
      const millimetres = image.shape.map((side, axis) => side * spacing[axis]);
      const zoom = SIDE / Math.max(...millimetres);
      const [width, height] = [plane.across, plane.up].map((axis) => Math.max(1, Math.round(millimetres[axis] * zoom)));
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(greyOf(plane), 0, 0, width, height);
      context.imageSmoothingEnabled = false;
      context.globalAlpha = Number(find(".opacity").value);
      if (mapped()) context.drawImage(mapOf(plane, mapped()), 0, 0, width, height);
      if (filled()) context.drawImage(fillOf(plane, filled()), 0, 0, width, height);
      context.globalAlpha = 1;
      const [across, down] = [width / image.shape[plane.across], height / image.shape[plane.up]];
      if (outlined()) outline(context, plane, outlined(), across, down);
      if (find(".cross").checked) {
        const x = (image.shape[plane.across] - state.at[plane.across] - 0.5) * across;
        const y = (image.shape[plane.up] - state.at[plane.up] - 0.5) * down;
        context.strokeStyle = "rgba(120, 200, 255, 0.7)";
        context.lineWidth = 1;
        const lines = [[0, y, x - 12, y], [x + 12, y, width, y], [x, 0, x, y - 12], [x, y + 12, x, height]];
        context.beginPath();
        for (const [x0, y0, x1, y1] of lines) {
          if (x1 < x0 || y1 < y0) continue;
          context.moveTo(x0, y0);
          context.lineTo(x1, y1);
        }
        context.stroke();
      }
      context.font = "600 15px system-ui, sans-serif";
      context.fillStyle = "#ffd54a";
      const spots = [[12, height / 2], [width - 12, height / 2], [width / 2, 14], [width / 2, height - 12]];
      [context.textAlign, context.textBaseline] = ["center", "middle"];
      spots.forEach(([x, y], i) => context.fillText(plane.letters[i], x, y));
      const at = state.at[plane.along];
      const position = origin[plane.along] + at * spacing[plane.along];
      slider.max = image.shape[plane.along] - 1;
      slider.value = at;
      place.textContent = `${at + 1} of ${image.shape[plane.along]}, ${millimetre(position, plane.along)}`;
      canvas.dataset.slice = at;
    }

    function millimetre(position, axis) {
      return `${Math.abs(position).toFixed(0)} mm ${DIRECTIONS[axis][position < 0 ? 1 : 0]}`;
    }

    function drawAll() {
      if (!state.shown) return;
      views.forEach(draw);
      const map = mapped();
      find(".scale").hidden = !map;
      if (map) {
        const context = find(".scale canvas").getContext("2d");
        for (let x = 0; x < 128; x++) {
          context.fillStyle = `rgb(${ramp(x / 127).map(Math.round).join(" ")})`;
          context.fillRect(x, 0, 1, 10);
        }
        find(".low").textContent = map.low.toPrecision(3);
        find(".high").textContent = map.high.toPrecision(3);
      }
      say(state.at);
    }

    // What stands in a voxel, in words.
    function say(at) {
      const { image, labels, maps, spacing, origin } = state.shown;
      const where = at.map((i, axis) => millimetre(origin[axis] + i * spacing[axis], axis)).join(", ");
      const values = [where, `${image.voxels[number(at, image.shape)]} HU`];
      for (const { name, shape, voxels } of labels) {
        const value = voxels[number(at, shape)];
        values.push(`${name}: ${value ? classes[value - 1].name : "none"}`);
      }
      for (const map of maps) {
        if (maps.length > 1 && map !== mapped()) continue;
        const level = mapLevel(map, at);
        if (level !== null) values.push(`${map.name}: ${(map.low + (level / 255) * (map.high - map.low)).toPrecision(3)}`);
      }
      find("output").textContent = values.join(" · ");
    }

    function move(axis, to) {
      const at = Math.min(Math.max(to, 0), state.shown.image.shape[axis] - 1);
      if (at === state.at[axis]) return;
      state.at[axis] = at;
      drawAll();
    }

    function under({ plane, canvas }, event) {
      const box = canvas.getBoundingClientRect();
      const { shape } = state.shown.image;
      // the picture keeps its shape inside the box
      const zoom = Math.min(box.width / canvas.width, box.height / canvas.height);
      const left = box.left + (box.width - canvas.width * zoom) / 2;
      const top = box.top + (box.height - canvas.height * zoom) / 2;
      const across = (event.clientX - left) / (canvas.width * zoom);
      const down = (event.clientY - top) / (canvas.height * zoom);
      if (across < 0 || across >= 1 || down < 0 || down >= 1) return null;
      const at = [...state.at];
      at[plane.across] = shape[plane.across] - 1 - Math.floor(across * shape[plane.across]);
      at[plane.up] = shape[plane.up] - 1 - Math.floor(down * shape[plane.up]);
      return at;
    }

    function listen(view) {
      const { plane, canvas, slider } = view;
      let wheeled = 0;
      const step = (by) => move(plane.along, state.at[plane.along] + by);
      const keys = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
      canvas.addEventListener("wheel", (event) => {
        if (event.ctrlKey) return; // zooms the page
        event.preventDefault();
        wheeled += event.deltaMode ? event.deltaY * 40 : event.deltaY;
        const steps = Math.trunc(wheeled / 40);
        wheeled -= steps * 40;
        if (steps) step(-steps);
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        step(keys[event.key]);
      });
      slider.addEventListener("input", () => move(plane.along, Number(slider.value)));
      const point = (event) => {
        const at = under(view, event);
        if (!at) return say(state.at);
        if (!event.buttons) return say(at);
        state.at = at;
        drawAll();
      };
      canvas.addEventListener("pointerdown", point);
      canvas.addEventListener("pointermove", point);
      canvas.addEventListener("pointerleave", () => say(state.at));
    }

    function legend() {
      const present = new Set();
      for (const { voxels } of state.shown.labels) for (const value of voxels) if (value) present.add(value);
      find(".classes").replaceChildren(...[...present].sort((a, b) => a - b).map((value) => {
        const [item, label, box, swatch] = ["li", "label", "input", "i"].map((kind) => document.createElement(kind));
        box.type = "checkbox";
        box.checked = !hidden.has(value);
        box.addEventListener("change", () => {
          hidden[box.checked ? "delete" : "add"](value);
          drawAll();
        });
        swatch.style.background = classes[value - 1].colour;
        label.append(box, swatch, classes[value - 1].name);
        item.append(label);
        return item;
      }));
    }

    function facts(table) {
      find(".facts").hidden = !table;
      if (!table) return;
      const row = (cells, kinds) => {
        const line = document.createElement("tr");
        line.append(...cells.map((text, i) => Object.assign(document.createElement(kinds(i)), { textContent: text })));
        return line;
      };
      const [head, body] = ["thead", "tbody"].map((kind) => document.createElement(kind));
      head.append(row(table.columns, () => "th"));
      body.append(...table.rows.map((cells) => row(cells, (i) => (i ? "td" : "th"))));
      find(".facts table").replaceChildren(head, body);
    }

    async function show(chosen) {
      const turn = ++state.asked;
      const load = async (packed) => ({ ...packed, data: null, voxels: await unpack(packed) });
      const [image, labels, maps] = await Promise.all([
        load(chosen.image), Promise.all(chosen.labels.map(load)), Promise.all(chosen.maps.map(load)),
      ]);
      if (turn !== state.asked) return; // another case was chosen meanwhile
      state.shown = { ...chosen, image, labels, maps };
      state.at = [...chosen.start];
      const names = (list) => list.map(({ name }) => name);
      options(find(".outline"), names(labels), labels.length ? "0" : "");
      options(find(".fill"), names(labels), labels.length > 1 ? "1" : "");
      options(find(".map"), names(maps), labels.length || !maps.length ? "" : "0");
      find(".note").textContent = chosen.note;
      legend();
      facts(chosen.facts);
      drawAll();
      section.dataset.state = "ready";
    }

    function choose() {
      section.dataset.state = "loading";
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
      drawAll();
    }

    options(find(".case"), cases.map(({ name }) => name), "0");
    find(".case").addEventListener("change", choose);
    find(".window").addEventListener("change", preset);
    for (const name of [".level", ".width"])
      find(name).addEventListener("input", () => {
        find(".window").value = "";
        drawAll();
      });
    for (const name of [".outline", ".fill", ".map", ".opacity", ".cross"]) find(name).addEventListener("input", drawAll);
    find(".layout").addEventListener("change", () => {
      const wanted = find(".layout").value;
      for (const { figure } of views) figure.hidden = wanted !== "all" && wanted !== figure.dataset.plane;
    });
    section.addEventListener("keydown", (event) => {
      if (event.key !== "o" || event.target.matches("input, select")) return;
      state.bare = !state.bare;
      drawAll();
    });
    views.forEach(listen);
    preset();
    choose();
  }

  document.querySelectorAll(".viewer").forEach(start);
})();
