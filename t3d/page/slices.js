"use strict";
// Slices of a case on canvases. Volumes are in RAS order, x fastest: voxel (x, y, z) is number x + X * (y + Y * z). All
// planes are drawn with both axes turned, so that the patient's right, front and head are on the left and on top, as
// radiologists read them.

const PLANES = {
  axial: { across: 0, up: 1, along: 2, letters: "RLAP" },
  coronal: { across: 0, up: 2, along: 1, letters: "RLSI" },
  sagittal: { across: 1, up: 2, along: 0, letters: "APSI" },
};
const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array };
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // inferno
const SIDE = 640; // pixels of the longest side of a case

// A volume with its voxels in place of the packed data.
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const voxels = new TYPES[packed.type](await new Response(stream).arrayBuffer());
  return { ...packed, data: null, voxels };
}

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// The colour of a share of a map's range.
function ramp(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[low].map((value, i) => Math.round(value + (place - low) * (RAMP[low + 1][i] - value)));
}

function valueAt({ shape, voxels }, at) {
  return voxels[at[0] + shape[0] * (at[1] + shape[1] * at[2])];
}

// 0 to 255 of a map at a voxel of the image; null beside the map.
function levelAt(map, at) {
  const place = at.map((i, axis) => Math.round(i * map.scale[axis] + map.offset[axis]));
  return place.some((i, axis) => i < 0 || i >= map.shape[axis]) ? null : valueAt(map, place);
}

// Calls paint(voxel, pixel) for every pixel of a slice, from the upper left.
function scan(plane, shape, position, paint) {
  const at = [...position];
  let pixel = 0;
  for (at[plane.up] = shape[plane.up] - 1; at[plane.up] >= 0; at[plane.up]--)
    for (at[plane.across] = shape[plane.across] - 1; at[plane.across] >= 0; at[plane.across]--) paint(at, pixel++);
}

// A pixel for each voxel of a slice; colour(voxel) gives red, green, blue, opacity or null.
function sheet(plane, shape, position, colour) {
  const canvas = new OffscreenCanvas(shape[plane.across], shape[plane.up]);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  scan(plane, shape, position, (at, pixel) => {
    const found = colour(at);
    if (found) pixels.data.set(found, 4 * pixel);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// For each class the edges of voxels where it ends.
function edges(plane, label, position, hidden, across, down) {
  const [columns, rows] = [label.shape[plane.across], label.shape[plane.up]];
  const seen = new Uint16Array(columns * rows);
  scan(plane, label.shape, position, (at, pixel) => {
    const value = valueAt(label, at);
    seen[pixel] = hidden.has(value) ? 0 : value;
  });
  const paths = new Map();
  const line = (value, x0, y0, x1, y1) => {
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
      if (right !== value) line(value || right, x + 1, y, x + 1, y + 1);
      if (below !== value) line(value || below, x, y + 1, x + 1, y + 1);
    }
  return paths;
}

function drawCross(context, x, y) {
  const { width, height } = context.canvas;
  const gap = 12;
  context.beginPath();
  for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
    if (x1 < x0 || y1 < y0) continue;
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.strokeStyle = "rgba(120, 200, 255, 0.7)";
  context.lineWidth = 1;
  context.stroke();
}

function drawLetters(context, letters) {
  const { width, height } = context.canvas;
  context.font = "600 15px system-ui, sans-serif";
  context.fillStyle = "#ffd54a";
  [context.textAlign, context.textBaseline] = ["center", "middle"];
  const spots = [[12, height / 2], [width - 12, height / 2], [width / 2, 14], [width / 2, height - 12]];
  spots.forEach(([x, y], i) => context.fillText(letters[i], x, y));
}

// Draws one plane of a case.
//   position  the voxel that the three planes meet in
//   classes   of label values 1, 2, ..: {name, colour}; those whose values are in `hidden` are not drawn
//   style     {level, width, opacity, cross, filled, outlined, mapped}; the last three are layers or null
function drawSlice(canvas, plane, { image, spacing }, position, classes, hidden, style) {
  const { shape } = image;
  const millimetres = shape.map((side, axis) => side * spacing[axis]);
  const zoom = SIDE / Math.max(...millimetres);
  const [width, height] = [plane.across, plane.up].map((axis) => Math.max(1, Math.round(millimetres[axis] * zoom)));
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const lay = (colour) => context.drawImage(sheet(plane, shape, position, colour), 0, 0, width, height);

  context.imageSmoothingQuality = "high";
  lay((at) => {
    const grey = 255 * ((valueAt(image, at) - style.level) / style.width + 0.5);
    return [grey, grey, grey, 255];
  });
  context.imageSmoothingEnabled = false;
  context.globalAlpha = style.opacity;
  if (style.mapped)
    lay((at) => {
      const level = levelAt(style.mapped, at);
      return level === null ? null : [...ramp(level / 255), Math.min(255, 40 + level)];
    });
  const colours = classes.map(({ colour }) => [...rgb(colour), 255]);
  if (style.filled)
    lay((at) => {
      const value = valueAt(style.filled, at);
      return value && !hidden.has(value) ? colours[value - 1] : null;
    });
  context.globalAlpha = 1;
  const [across, down] = [width / shape[plane.across], height / shape[plane.up]];
  if (style.outlined)
    for (const [value, path] of edges(plane, style.outlined, position, hidden, across, down))
      // dark below the colour, so that pale ones are seen on bone
      for (const [wide, colour] of [[4, "rgba(0, 0, 0, 0.6)"], [2, classes[value - 1].colour]]) {
        [context.lineWidth, context.strokeStyle] = [wide, colour];
        context.stroke(path);
      }
  const [x, y] = [plane.across, plane.up].map((axis) => shape[axis] - position[axis] - 0.5);
  if (style.cross) drawCross(context, x * across, y * down);
  drawLetters(context, plane.letters);
}

// The voxel under a mouse; null beside the picture, which keeps its shape inside the canvas's box.
function voxelUnder(canvas, plane, { shape }, position, event) {
  const box = canvas.getBoundingClientRect();
  const zoom = Math.min(box.width / canvas.width, box.height / canvas.height);
  const [width, height] = [canvas.width * zoom, canvas.height * zoom];
  const across = (event.clientX - box.left - (box.width - width) / 2) / width;
  const down = (event.clientY - box.top - (box.height - height) / 2) / height;
  if (across < 0 || across >= 1 || down < 0 || down >= 1) return null;
  const at = [...position];
  at[plane.across] = shape[plane.across] - 1 - Math.floor(across * shape[plane.across]);
  at[plane.up] = shape[plane.up] - 1 - Math.floor(down * shape[plane.up]);
  return at;
}
