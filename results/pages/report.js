// The report of a sweep answers to the hand: a point under the pointer lights up in every panel, an η or a λ
// filters panels and tables, tables are sorted, and another clock takes the place of t*. The page is whole without
// this script, which only shows, hides and moves what the page has. All texts of numbers come from the page.
"use strict";
(() => {
  const { labels, points, clocks } = JSON.parse(document.getElementById("explorer").textContent);
  const NEAR = [0, 3, 7]; // pixels from the pointer at which a mark or a curve still counts as under it
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const controls = find("#controls");
  const card = find("#card");
  const chosen = { eta: new Set(), lam: new Set() }; // empty: all
  const marksOf = new Map(); // point to its marks, curves and rows
  for (const element of all("[data-point]")) {
    const id = element.dataset.point;
    marksOf.set(id, [...(marksOf.get(id) ?? []), element]);
  }
  const collapse = find("#figure-collapse");
  const [curvePanel, lawPanel] = collapse ? all("svg.panel", collapse) : [];
  const clockPanels = all("#figure-clocks svg.panel");
  const drawn = (tag) => document.createElementNS(find("svg.panel").namespaceURI, tag);
  let clock = find("#clock").value;
  let lit = null;
  let pinned = null;

  // ------------------------------------------------------------------------------------------ one point

  function light(id) {
    if (id === lit) return;
    all(".lit").forEach((element) => element.classList.remove("lit"));
    all(".ring").forEach((ring) => ring.remove());
    lit = id;
    document.body.classList.toggle("one-lit", id !== null);
    card.hidden = id === null;
    if (id === null) return;
    for (const element of marksOf.get(id) ?? []) {
      element.classList.add("lit");
      if (element.tagName === "use" || element.tagName === "circle") drawRing(element);
      else if (element.tagName === "g") element.parentNode.append(element); // above the other curves
    }
    fillCard(id);
  }

  function drawRing(mark) {
    const ring = drawn("circle");
    ring.setAttribute("class", "ring");
    ring.setAttribute("cx", mark.getAttribute("x") ?? mark.getAttribute("cx"));
    ring.setAttribute("cy", mark.getAttribute("y") ?? mark.getAttribute("cy"));
    ring.setAttribute("r", 5);
    mark.closest("svg").append(ring);
  }

  function fillCard(id) {
    const [time, kappa] = clocks[clock].times[id] ?? ["–", "–"];
    const name = clock === "t_star" ? "t*" : clocks[clock].title;
    const rows = [["point", id], ...labels.map((label, k) => [label, points[id].texts[k]])];
    rows.push([`${name} (epochs)`, time], ["κ", kappa]);
    const list = find("dl", card);
    list.replaceChildren();
    for (const [label, text] of rows) {
      const row = document.createElement("div");
      const [term, value] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, value.textContent] = [label, text];
      row.append(term, value);
      list.append(row);
    }
    find("[role=status]", card).textContent = "";
  }

  function pin(id) {
    pinned = id;
    card.classList.toggle("pinned", id !== null);
    find("#point").value = id ?? "";
    light(id);
  }

  // The point at a place of the page: that of the nearest mark or curve.
  function pointAt(x, y) {
    for (const radius of NEAR) {
      for (let k = 0; k < (radius ? 8 : 1); k += 1) {
        const angle = (k * Math.PI) / 4;
        const under = document.elementFromPoint(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
        const id = under?.closest("[data-point]:not(.off)")?.dataset.point;
        if (id in points) return id;
      }
    }
    return null;
  }

  async function copyId() {
    try {
      await navigator.clipboard.writeText(lit);
      find("[role=status]", card).textContent = "Copied.";
    } catch {
      const range = document.createRange(); // the browser refuses: the id is selected, ready to be copied
      range.selectNodeContents(find("dd", card));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      find("[role=status]", card).textContent = "Selected: copy it with the keyboard.";
    }
  }

  // ------------------------------------------------------------------------------------------ filters

  const passes = (axis, value) => chosen[axis].size === 0 || chosen[axis].has(Number(value));
  const isShown = (id) => !(id in points) || (passes("eta", points[id].eta) && passes("lam", points[id].lam));

  function filter() {
    for (const button of all("[data-axis]", controls)) {
      button.setAttribute("aria-pressed", chosen[button.dataset.axis].has(Number(button.dataset.value)));
    }
    all("svg [data-point]").forEach((mark) => mark.classList.toggle("off", !isShown(mark.dataset.point)));
    all("svg [data-eta]").forEach((line) => line.classList.toggle("off", !passes("eta", line.dataset.eta)));
    all("table.data").forEach(filterTable);
    const ids = Object.keys(points);
    const count = ids.filter(isShown).length;
    find("#shown").textContent = count === ids.length ? `${count} points` : `${count} of ${ids.length} points`;
    for (const option of all("#point option[value]:not([value=''])")) option.hidden = !isShown(option.value);
    if (pinned !== null && !isShown(pinned)) pin(null);
  }

  function filterTable(table) {
    const words = (table.filterBox?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const { point, eta } = row.dataset;
      const inAxes = point === undefined ? passes("eta", eta) : isShown(point);
      const text = row.textContent.toLowerCase();
      row.hidden = !inAxes || !words.every((word) => text.includes(word));
    }
  }

  function toggle(button) {
    const values = chosen[button.dataset.axis];
    const value = Number(button.dataset.value);
    if (!values.delete(value)) values.add(value);
    filter();
  }

  // ------------------------------------------------------------------------------------------ tables

  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
  }

  function sort(table, head, column) {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [row, keyOf(row.cells[column])]);
    rows.sort(([, a], [, b]) => {
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1; // what has no number comes last
      return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
  }

  function keyOf(cell) {
    const number = Number.parseFloat(cell.dataset.value);
    return Number.isNaN(number) ? cell.textContent : number;
  }

  function addTools(table) {
    const box = document.createElement("input");
    const label = document.createElement("label");
    const save = document.createElement("button");
    const tools = document.createElement("p");
    box.type = "search";
    label.append("Filter rows ", box);
    save.type = "button";
    save.textContent = "Save these rows as CSV";
    tools.className = "tools";
    tools.append(label, " ", save);
    table.filterBox = box;
    box.addEventListener("input", () => filterTable(table));
    save.addEventListener("click", () => saveRows(table));
    table.parentNode.before(tools);
  }

  function saveRows(table) {
    const rows = [...table.rows].filter((row) => !row.hidden);
    const quote = (text) => `"${text.replace(/^[=+@\t\r]/, "'$&").replaceAll('"', '""')}"`;
    const lines = rows.map((row) => [...row.cells].map((c) => c.dataset.value ?? quote(c.textContent.trim())).join());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    link.download = `${document.title}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // ------------------------------------------------------------------------------------------ clocks

  function setClock(name) {
    const others = Object.keys(clocks).filter((other) => other !== "t_star");
    if (clock !== "t_star") exchange(lawPanel, clockPanels[others.indexOf(clock)]); // each back to its place
    clock = name;
    if (clock !== "t_star") exchange(lawPanel, clockPanels[others.indexOf(clock)]);
    for (const cell of all("td[data-clock]")) {
      const times = clocks[clock].times[cell.closest("tr").dataset.point] ?? ["–", "–", null, null];
      const place = cell.dataset.clock === "time" ? 0 : 1;
      cell.textContent = times[place];
      cell.dataset.value = times[place + 2] ?? "";
    }
    moveMaxima();
    filter();
    const id = lit;
    light(null);
    light(id);
  }

  function exchange(one, other) {
    if (!one || !other) return;
    const place = document.createComment("");
    one.replaceWith(place);
    other.replaceWith(one);
    place.replaceWith(other);
  }

  // Draws the maxima of another clock where its κ lies on each curve, in place of those of t*.
  function moveMaxima() {
    if (!curvePanel) return;
    all(".moved", curvePanel).forEach((element) => {
      const { point } = element.dataset;
      if (point) marksOf.set(point, marksOf.get(point).filter((other) => other !== element));
      element.remove();
    });
    const moved = clock !== "t_star";
    const marks = all("use[data-point]", curvePanel);
    [...marks, ...all(".kappa", curvePanel)].forEach((element) => element.classList.toggle("replaced", moved));
    if (!moved) return;
    const decade = Number(curvePanel.dataset.decade);
    const known = marks.find((mark) => clocks.t_star.times[mark.dataset.point]?.[3] > 0);
    if (!known || !decade) return;
    const zero = Number(known.getAttribute("x")) - decade * Math.log10(clocks.t_star.times[known.dataset.point][3]);
    const placeOf = (kappa) => zero + decade * Math.log10(kappa);
    for (const mark of marks) {
      const id = mark.dataset.point;
      const path = find(`g[data-point="${id}"] path`, curvePanel);
      const [, , , kappa, bound] = clocks[clock].times[id] ?? [];
      if (path && kappa > 0) addMark(id, placeOf(kappa), path, bound, mark);
    }
    const [kappa, low, high] = clocks[clock].kappa.map(placeOf);
    if (kappa !== undefined) addBand(kappa, low ?? kappa, high ?? kappa);
  }

  function addMark(id, x, path, bound, mark) {
    const color = mark.style.stroke && mark.style.stroke !== "none" ? mark.style.stroke : mark.style.fill;
    const circle = drawn("circle");
    const attributes = { class: "moved", cx: x, cy: heightAt(path, x), r: 2.1, stroke: color, fill: bound ? "white" : color };
    for (const [name, value] of Object.entries(attributes)) circle.setAttribute(name, value);
    circle.dataset.point = id;
    curvePanel.append(circle);
    marksOf.get(id).push(circle);
  }

  function addBand(x, low, high) {
    const path = find(".kappa path", curvePanel);
    if (!path) return;
    const axes = path.getBBox();
    const band = drawn("path");
    const [top, bottom] = [axes.y, axes.y + axes.height];
    band.setAttribute("class", "moved band");
    band.setAttribute("d", `M ${low} ${top} H ${high} V ${bottom} H ${low} Z M ${x} ${top} V ${bottom}`);
    band.setAttribute("clip-path", path.getAttribute("clip-path"));
    curvePanel.append(band);
  }

  // The height of a curve at x, by bisection of its length: a curve never goes back.
  function heightAt(path, x) {
    let [low, high] = [0, path.getTotalLength()];
    for (let k = 0; k < 20; k += 1) {
      const middle = (low + high) / 2;
      if (path.getPointAtLength(middle).x < x) low = middle;
      else high = middle;
    }
    return path.getPointAtLength(high).y;
  }

  // ------------------------------------------------------------------------------------------ listening

  function listen() {
    document.addEventListener("pointermove", (event) => {
      if (pinned !== null) return;
      const place = event.target.closest?.("svg.panel, tr[data-point]");
      if (place) light(place.tagName === "TR" ? (place.dataset.point in points ? place.dataset.point : null) : pointAt(event.clientX, event.clientY));
      else if (!event.target.closest?.("#card")) light(null);
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest("[data-axis]")) toggle(event.target.closest("[data-axis]"));
      else if (event.target.closest("svg.panel")) pin(pointAt(event.clientX, event.clientY));
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") pin(null);
    });
    find("#point").addEventListener("change", (event) => pin(event.target.value || null));
    find("#clock").addEventListener("change", (event) => setClock(event.target.value));
    find("#copy").addEventListener("click", copyId);
    find("#close").addEventListener("click", () => pin(null));
    find("#reset").addEventListener("click", () => {
      Object.values(chosen).forEach((values) => values.clear());
      all("table.data").forEach((table) => (table.filterBox.value = ""));
      filter();
    });
  }

  function start() {
    for (const [id, { texts }] of Object.entries(points)) {
      find("#point").append(new Option(labels.map((label, k) => `${label} ${texts[k]}`).join(", "), id));
    }
    for (const row of all("tr[data-point]")) {
      const button = document.createElement("button");
      const code = find("code", row);
      button.type = "button";
      code.before(button);
      button.append(code);
      button.addEventListener("click", () => pin(row.dataset.point));
    }
    for (const table of all("table.data")) {
      makeSortable(table);
      addTools(table);
    }
    controls.hidden = false;
    listen();
    filter();
  }

  start();
})();
