// A box or a lasso, drawn on the explained picture with a mouse, a pen or a finger. Who has none of
// these types the numbers into the form.

const SVG = "http://www.w3.org/2000/svg";
let shape = ""; // that the buttons have chosen: "box", "lasso" or none

for (const button of document.querySelectorAll("[data-draw]")) {
  button.addEventListener("click", () => {
    shape = shape === button.dataset.draw ? "" : button.dataset.draw;
    for (const one of document.querySelectorAll("[data-draw]")) {
      one.setAttribute("aria-pressed", one.dataset.draw === shape);
    }
    for (const canvas of document.querySelectorAll(".drawing")) canvas.style.display = shape ? "" : "none";
  });
}

// Lays a canvas over the picture of the first card; `size` is that of the picture as it was sent.
export function startDrawing(size, drawn) {
  const picture = document.querySelector("#shown .eli5-card > .eli5-picture");
  if (!picture || !size || document.querySelector("#tools").hidden) return;
  const canvas = document.createElementNS(SVG, "svg");
  canvas.setAttribute("class", "drawing");
  canvas.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  canvas.setAttribute("preserveAspectRatio", "none");
  canvas.setAttribute("aria-hidden", "true");
  canvas.style.display = shape ? "" : "none";
  picture.parentElement.append(canvas);
  listen(canvas, size, drawn);
}

function listen(canvas, size, drawn) {
  let points = [];
  let outline = null;
  const at = ({ clientX, clientY }) => {
    const place = canvas.getBoundingClientRect();
    const x = ((clientX - place.left) / place.width) * size[0];
    const y = ((clientY - place.top) / place.height) * size[1];
    return [Math.min(Math.max(Math.round(x), 0), size[0]), Math.min(Math.max(Math.round(y), 0), size[1])];
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    canvas.replaceChildren();
    outline = canvas.appendChild(document.createElementNS(SVG, "polygon"));
    points = [at(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!outline) return;
    const point = at(event);
    points = shape === "box" ? [points[0], point] : [...points, point];
    outline.setAttribute("points", (shape === "box" ? corners(points) : points).join(" "));
  });
  canvas.addEventListener("pointerup", () => {
    outline = null;
    const text = shape === "box" ? boxText(points) : lassoText(points);
    if (text) drawn(shape, text);
  });
  canvas.addEventListener("pointercancel", () => {
    outline = null;
    canvas.replaceChildren();
  });
}

function corners([[a, b], [c, d]]) {
  return [[a, b], [c, b], [c, d], [a, d]];
}

function boxText(points) {
  if (points.length < 2) return "";
  const [xs, ys] = [0, 1].map((k) => points.map((point) => point[k]).sort((a, b) => a - b));
  return xs[0] < xs[1] && ys[0] < ys[1] ? [xs[0], ys[0], xs[1], ys[1]].join(",") : "";
}

// No more corners than the server takes, and each once.
function lassoText(points) {
  const step = Math.ceil(points.length / 300);
  const kept = points.filter((point, k) => k % step === 0 && String(point) !== String(points[k - 1]));
  return kept.length >= 3 ? kept.map((point) => point.join(",")).join(" ") : "";
}
