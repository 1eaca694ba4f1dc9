// Shows the steps of a drag. All data are in this page; it makes no network request.
// Text from the record enters the page as text only (textContent, attributes set here), never as markup.
(() => {
  "use strict";
  const COLOURS = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"]; // Okabe and Ito
  const PLAY = "M4 2v12l10-6z";
  const PAUSE = "M3 2h3.5v12H3zM9.5 2H13v12H9.5z";
  const PLOT = { width: 1000, height: 200 }; // units of its viewBox, stretched to the page
  const find = (id) => document.getElementById(id);
  const { size, steps, pictures, fps } = JSON.parse(find("record").textContent);
  const picture = find("picture");
  const slider = find("slider");
  const last = steps.length - 1;
  pictures[steps[last].picture] = picture.src; // also shown by a page without scripts
  let now = last;
  let playing = 0; // the timer, or 0

  const svg = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const colour = (point) => COLOURS[point % COLOURS.length];
  const path = (places) => `M${places.map((place) => place.join(" ")).join("L")}`;
  const ring = ([x, y], r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

  // White lines first, under all coloured ones. A dot is a line of length 0 with round ends. Widths are px of the page.
  function drawPoints() {
    const layer = find("points");
    layer.replaceChildren();
    const r = (11 * size[0]) / (picture.clientWidth || size[0]);
    const { handles, targets, since } = steps[now];
    for (const white of [true, false]) {
      handles.forEach((handle, point) => {
        const places = steps.slice(since[point], now + 1).map((step) => step.handles[point]);
        const stroke = white ? "#fff" : colour(point);
        const casing = white ? 3.6 : 0;
        svg("path", { d: path(places), stroke, "stroke-width": 3 + casing }, layer);
        svg("path", { d: ring(targets[point], r), stroke, "stroke-width": 3 + casing, class: "target" }, layer);
        svg("path", { d: path([handle, handle]), stroke, "stroke-width": 12 + casing, class: "handle" }, layer);
      });
    }
  }

  const across = (place) => (last === 0 ? 0 : (place / last) * PLOT.width);
  const plot = find("plot").querySelector("svg");
  let cursor = null;

  function drawPlot() {
    const all = steps.flatMap((step) => step.distances);
    if (all.length === 0) return;
    const highest = Math.max(...all, 1e-9);
    find("highest").textContent = highest.toFixed(highest < 10 ? 1 : 0);
    const most = Math.max(...steps.map((step) => step.distances.length));
    for (let point = 0; point < most; point++) {
      let line = [];
      const finish = () => {
        if (line.length) svg("polyline", { points: line.join(" "), stroke: colour(point) }, plot);
        line = [];
      };
      steps.forEach((step, place) => {
        const distance = step.distances[point];
        // A new point that has the number of an old one is a new line.
        if (distance === undefined || step.since[point] === place) finish();
        if (distance !== undefined) line.push(`${across(place)},${PLOT.height * (1 - distance / highest)}`);
      });
      finish();
    }
    cursor = svg("line", { y1: 0, y2: PLOT.height, class: "now" }, plot);
    find("distances").hidden = false;
  }

  function statusText() {
    const { distances, loss, ended, picture: shown } = steps[now];
    const parts = [];
    if (distances.length) parts.push(`${Math.max(...distances).toFixed(1)} px left`);
    if (loss !== null) parts.push(`loss ${loss.toPrecision(3)}`);
    if (ended !== null) parts.push(ended);
    let drawn = now;
    while (drawn > 0 && steps[drawn - 1].picture === shown) drawn--;
    if (drawn !== now) parts.push(`picture of step ${drawn}`);
    return parts.join(" · ");
  }

  function show(place) {
    now = Math.min(Math.max(place, 0), last);
    const source = pictures[steps[now].picture];
    if (picture.src !== source) picture.src = source;
    picture.alt = `The picture after step ${now}`;
    drawPoints();
    slider.value = String(now);
    const position = `step ${now} of ${last}`;
    find("position").textContent = position;
    const text = statusText();
    slider.setAttribute("aria-valuetext", text ? `${position}, ${text}` : position);
    find("status").textContent = text;
    if (cursor) for (const end of ["x1", "x2"]) cursor.setAttribute(end, across(now));
    document.documentElement.dataset.step = String(now); // set last: tests wait for it
  }

  function pause() {
    clearInterval(playing);
    playing = 0;
    button();
  }

  function play() {
    if (now === last) show(0);
    playing = setInterval(() => (now < last ? show(now + 1) : pause()), 1000 / fps);
    button();
  }

  function button() {
    find("icon").setAttribute("d", playing ? PAUSE : PLAY);
    find("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    find("status").setAttribute("aria-live", playing ? "off" : "polite"); // too fast to be read out
  }

  function seek(place) {
    if (playing) pause();
    show(place);
  }

  const toggle = () => (playing ? pause() : play());
  const KEYS = {
    " ": toggle,
    ArrowLeft: () => seek(now - 1),
    ArrowRight: () => seek(now + 1),
    Home: () => seek(0),
    End: () => seek(last),
  };
  document.addEventListener("keydown", (event) => {
    const key = KEYS[event.key];
    if (!key || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target.closest("button, summary")) return; // Space presses these
    event.preventDefault();
    key();
  });
  find("play").addEventListener("click", toggle);
  slider.addEventListener("input", () => seek(Number(slider.value)));
  plot.addEventListener("pointerdown", (event) => plot.setPointerCapture(event.pointerId));
  for (const kind of ["pointerdown", "pointermove"])
    plot.addEventListener(kind, (event) => {
      if (!(event.buttons & 1)) return;
      const box = plot.getBoundingClientRect();
      seek(Math.round(((event.clientX - box.left) / box.width) * last));
    });
  new ResizeObserver(drawPoints).observe(picture);

  // As wide as the page, but at most 78 % of the window's height.
  find("stage").style.width = `min(100%, ${(78 * size[0]) / size[1]}vh)`;
  slider.max = String(last);
  find("controls").hidden = last === 0;
  drawPlot();
  button();
  show(last);
})();
