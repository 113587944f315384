"use strict";
// Draws the plots. Timeline, memory map and DRAM traffic share one window of cycles, and show no more marks than it has pixels.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false };
  const $ = (id) => document.getElementById(id);

  function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.d), (c) => c.charCodeAt(0));
    return packed.t === "i4" ? new Int32Array(bytes.buffer) : new Float64Array(bytes.buffer);
  }

  const T = DATA.timeline, CYCLES = T.cycles, LAYERS = T.layers;
  const column = {};
  for (const name of ["unit", "opcode", "layer", "start", "end", "amount", "kind"]) column[name] = unpack(T[name]);
  const owned = { layer: unpack(T.owned.layer), begin: unpack(T.owned.begin) };
  const COUNT = column.start.length;
  const byUnit = T.units.map((unit) => {
    const members = [];
    for (let i = 0; i < COUNT; i++) if (column.unit[i] === unit.unit) members.push(i);
    return members.sort((a, b) => column.start[a] - column.start[b]);
  });

  // ---- words
  const FORMAT = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const number = (n) => FORMAT.format(n);
  function escape(text) { return text.replace(/&/g, "&amp;").replace(/</g, "&lt;"); }
  function size(bytes) {
    for (const unit of ["B", "KiB", "MiB"]) {
      if (bytes < 1024 || unit === "MiB") return (Number.isInteger(bytes) || bytes >= 100 ? bytes.toFixed(0) : bytes.toFixed(1)) + " " + unit;
      bytes /= 1024;
    }
  }
  const nodesLines = LAYERS.map((layer) => {
    const words = escape(layer.nodes).match(/.{1,90}(\s|$)|\S{1,90}/g) || [];
    return "ONNX nodes: " + words.join("<br>");
  });
  function layerName(layer) { return `<b>${layer} · ${escape(LAYERS[layer].name)}</b> (${LAYERS[layer].op})`; }
  function deed(i) {
    const amount = column.amount[i], many = number(amount);
    switch (T.opcodes[column.opcode[i]]) {
      case "LOAD": return `loads ${size(amount)} of ${DATA.traffic[column.kind[i]].name.replace(" in", "")} from DRAM`;
      case "FILL": return `writes ${size(amount)} of padding`;
      case "STREAM": return `streams ${size(amount)} of weights from DRAM`;
      case "MATMUL": return `sends ${many} vectors through the array`;
      case "VECTOR": return `makes ${many} vectors of results`;
      case "STORE": return `stores ${size(amount)} of results to DRAM`;
      default: return "copies a table into the lanes";
    }
  }
  function instructionTip(i) {
    const first = column.start[i], last = column.end[i];
    return `${layerName(column.layer[i])}<br>Instruction ${number(i)} of ${number(COUNT)}, ${T.opcodes[column.opcode[i]]}, ${deed(i)}:<br>` +
      `cycles ${number(first)} to ${number(last)} (${number(last - first + 1)}).<br>${nodesLines[column.layer[i]]}`;
  }
  function shade(color, alpha) {
    const parts = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    return `rgb(${parts.map((part) => Math.round(255 - (255 - part) * alpha)).join(",")})`;
  }

  // ---- the window of cycles
  let view = [0, CYCLES];
  const plotWidth = (id) => Math.max(200, $(id).clientWidth - 108);
  const pixelCycles = () => (view[1] - view[0]) / timelineWidth;
  let timelineWidth = 1;
  function setView(first, last) {
    const width = Math.min(CYCLES, Math.max(20, last - first));
    first = Math.min(Math.max(0, first), CYCLES - width);
    view = [first, first + width];
    drawWindow();
  }
  function drawWindow() {
    timelineWidth = plotWidth("timeline");
    $("window").textContent = `cycles ${number(view[0])} – ${number(view[1])} of ${number(CYCLES)}`;
    drawTimeline();
    drawMemory();
    drawTraffic();
  }
  function layoutFor(id) {
    const layout = DATA.figures[id].layout;
    layout.xaxis.range = view.slice();
    layout.xaxis.autorange = false;
    layout.datarevision = `${view}`;
    return layout;
  }

  // ---- timeline
  function barTrace(row, thickness) {
    return { type: "bar", orientation: "h", x: [], base: [], y: [], width: thickness, hovertext: [], hovertemplate: "%{hovertext}<extra></extra>",
      marker: { color: [], line: { width: [], color: "#ffffff" } }, text: [], textposition: "inside", insidetextanchor: "middle", constraintext: "none", cliponaxis: true,
      textangle: 0, row, showlegend: false };
  }
  function addBar(trace, begin, end, color, tip, text) {
    trace.x.push(end - begin); trace.base.push(begin); trace.y.push(trace.row);
    trace.marker.line.width.push(end - begin > 5 * pixelCycles() ? 0.8 : 0);
    trace.marker.color.push(color); trace.hovertext.push(tip); trace.text.push(text || "");
  }
  function layerTrace(pixel) {
    const trace = barTrace(0, 0.8);
    trace.textfont = { color: "#1e293b", size: 11 };
    for (let i = 0; i < owned.begin.length; i++) {
      let begin = owned.begin[i], end = i + 1 < owned.begin.length ? owned.begin[i + 1] : CYCLES;
      if (end < view[0] || begin > view[1]) continue;
      const layer = owned.layer[i];
      const tip = `${layerName(layer)}<br>Cycles ${number(begin)} to ${number(end - 1)} belong to this layer.<br>${nodesLines[layer]}`;
      begin = Math.max(begin, view[0]); end = Math.min(end, view[1]);
      const room = (end - begin) / pixel, name = LAYERS[layer].name;
      const text = room > 7 * name.length + 10 ? escape(name) : room > 20 ? String(layer) : "";
      addBar(trace, begin, end, layer % 2 ? "#dbe4ee" : "#b9c8d9", tip, text);
    }
    return trace;
  }
  // Slices narrower than 2 pixels become one with their neighbours less than a pixel away.
  function unitTrace(position, pixel) {
    const unit = T.units[position], trace = barTrace(position + 1, 0.7);
    let group = null;
    const flush = () => {
      if (!group) return;
      const { members, begin, end, busy } = group;
      const first = members[0], last = members[members.length - 1];
      const strength = Math.min(1, busy / (end - begin));
      if (members.length === 1) {
        addBar(trace, begin, end, shade(unit.color, column.layer[first] % 2 ? 0.72 : 1), instructionTip(first));
      } else {
        const one = column.layer[first] === column.layer[last];
        const whose = one ? layerName(column.layer[first]) : `${layerName(column.layer[first])} to ${layerName(column.layer[last])}`;
        const nodes = one ? `<br>${nodesLines[column.layer[first]]}` : "";
        addBar(trace, begin, end, shade(unit.color, (0.25 + 0.75 * strength) * (column.layer[first] % 2 ? 0.72 : 1)),
          `${whose}<br>${number(members.length)} instructions of the ${unit.name} unit, busy ${(100 * strength).toFixed(0)} % of<br>` +
          `cycles ${number(begin)} to ${number(end)}. Zoom in to see them.${nodes}`);
      }
      group = null;
    };
    for (const i of byUnit[position]) {
      const begin = column.start[i], end = column.end[i] + 1;
      if (end < view[0] || begin > view[1]) continue;
      const small = end - begin < 2 * pixel;
      if (group && (!small || !group.small || begin - group.end > pixel || group.end - group.begin > 12 * pixel)) flush();
      if (group) {
        group.busy += end - Math.max(begin, Math.min(group.end, end));
        group.end = Math.max(group.end, end);
        group.members.push(i);
      } else group = { members: [i], begin, end, busy: end - begin, small };
    }
    flush();
    return trace;
  }
  function drawTimeline() {
    const pixel = pixelCycles();
    const traces = [layerTrace(pixel), ...T.units.map((_, position) => unitTrace(position, pixel))];
    Plotly.react("timeline", traces, layoutFor("timeline"), CONFIG);
  }

  // ---- memory map: a raster of the window, so that its cost does not depend on the number of tensors
  const SPACES = [["activation", "y", 150, "bytes"], ["accumulators", "y2", 64, "accumulator entries"]];
  const memory = {};
  for (const [name] of SPACES) {
    memory[name] = {};
    for (const key of ["place", "low", "high", "begin", "end", "writer"]) memory[name][key] = unpack(DATA.memory[name][key]);
  }
  const KINDS = ["loaded", "computed", "padding", "sums"];
  const KIND_OF = { LOAD: 0, VECTOR: 1, FILL: 2, MATMUL: 3 };
  const KIND_WORDS = ["loaded from DRAM for", "computed by", "the padding of", "sums of"];
  const MEMORY_SCALE = [];
  KINDS.flatMap((kind) => DATA.memory.colors[kind]).forEach((color, i) => MEMORY_SCALE.push([i / 8, color], [(i + 1) / 8, color]));
  function memoryTip(name, r, words) {
    const M = memory[name], writer = M.writer[r], layer = column.layer[writer];
    const count = M.high[r] - M.low[r], amount = name === "activation" ? size(count) : `${number(count)} entries with`;
    return `${layerName(layer)}<br>${amount} ${KIND_WORDS[KIND_OF[T.opcodes[column.opcode[writer]]]]} this layer,<br>` +
      `${words} ${number(M.low[r])} to ${number(M.high[r] - 1)}, needed in cycles ${number(M.begin[r])} to ${number(M.end[r])}.<br>` +
      `First written by instruction ${number(writer)}.`;
  }
  function memoryTrace([name, axis, rows, words]) {
    const layout = DATA.figures.memory.layout, M = memory[name];
    const range = layout[axis === "y" ? "yaxis" : "yaxis2"].range;
    const bottom = Math.max(0, Math.min(...range)), top = Math.max(...range);
    const columns = Math.min(Math.ceil(plotWidth("memory") / 2), Math.max(40, Math.ceil(view[1] - view[0])));
    const width = (view[1] - view[0]) / columns, height = (top - bottom) / rows;
    const z = Array.from({ length: rows }, () => new Array(columns).fill(null));
    const shown = Array.from({ length: rows }, () => new Int32Array(columns).fill(-1));
    for (let r = 0; r < M.low.length; r++) {
      if (M.end[r] + 1 <= view[0] || M.begin[r] >= view[1] || M.place[r] + M.high[r] - M.low[r] <= bottom || M.place[r] >= top) continue;
      const writer = M.writer[r], layer = column.layer[writer];
      const color = 2 * KIND_OF[T.opcodes[column.opcode[writer]]] + (layer % 2) + 0.5;
      const x0 = Math.max(0, Math.floor((M.begin[r] - view[0]) / width)), x1 = Math.min(columns, Math.ceil((M.end[r] + 1 - view[0]) / width));
      const y0 = Math.max(0, Math.floor((M.place[r] - bottom) / height)), y1 = Math.min(rows, Math.ceil((M.place[r] + M.high[r] - M.low[r] - bottom) / height));
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) {
        z[y][x] = color;
        shown[y][x] = r;
      }
    }
    const tips = new Map();
    const tipOf = (r) => {
      if (!tips.has(r)) tips.set(r, r < 0 ? "" : memoryTip(name, r, words));
      return tips.get(r);
    };
    const text = shown.map((line) => Array.from(line, tipOf));
    return { type: "heatmap", xaxis: "x", yaxis: axis, z, text, x0: view[0] + width / 2, dx: width, y0: bottom + height / 2, dy: height,
      zmin: 0, zmax: 8, colorscale: MEMORY_SCALE, showscale: false, hoverongaps: false, hovertemplate: "%{text}<extra></extra>" };
  }
  function drawMemory() { Plotly.react("memory", SPACES.map(memoryTrace), layoutFor("memory"), CONFIG); }

  // ---- DRAM traffic over time
  function drawTraffic() {
    const bins = Math.min(300, Math.max(20, Math.floor(plotWidth("traffic-time") / 4)), Math.ceil(view[1] - view[0]));
    const width = (view[1] - view[0]) / bins;
    const sums = DATA.traffic.map(() => new Float64Array(bins));
    for (let i = 0; i < COUNT; i++) {
      const kind = column.kind[i];
      if (kind < 0) continue;
      const begin = column.start[i], end = Math.max(column.end[i] + 1, begin + column.amount[i] / DATA.beatBytes);
      if (end <= view[0] || begin >= view[1]) continue;
      const rate = column.amount[i] / (end - begin), last = Math.min(bins - 1, Math.floor((end - view[0]) / width));
      for (let b = Math.max(0, Math.floor((begin - view[0]) / width)); b <= last; b++) {
        const from = view[0] + b * width;
        sums[kind][b] += rate * Math.max(0, Math.min(end, from + width) - Math.max(begin, from)) / width;
      }
    }
    const x = Array.from({ length: bins }, (_, b) => view[0] + (b + 0.5) * width);
    const traces = DATA.traffic.map(({ name, color }, kind) => {
      const sign = name === "activations out" ? -1 : 1;
      return { type: "bar", name, x, y: Array.from(sums[kind], (v) => sign * v), width, marker: { color, line: { width: 0 } },
        hovertext: Array.from(sums[kind], (v, b) => `${v.toFixed(2)} bytes per cycle of ${name},<br>on average over cycles ` +
          `${number(view[0] + b * width)} to ${number(view[0] + (b + 1) * width)}.`),
        hovertemplate: "%{hovertext}<extra></extra>" };
    });
    const layout = layoutFor("traffic-time");
    layout.barmode = "relative";
    let most = DATA.beatBytes;
    for (let b = 0; b < bins; b++) {
      let read = 0;
      sums.forEach((sum, kind) => { if (DATA.traffic[kind].name !== "activations out") read += sum[b]; else most = Math.max(most, sum[b]); });
      most = Math.max(most, read);
    }
    layout.yaxis.range = [-1.08 * most, 1.08 * most];
    Plotly.react("traffic-time", traces, layout, CONFIG);
  }

  // ---- putting it together
  for (const id of ["utilization", "roofline", "traffic"]) {
    const figure = DATA.figures[id];
    Plotly.newPlot(id, figure.data, figure.layout, { ...CONFIG, doubleClick: "reset" });
    $(id).on("plotly_click", (event) => {
      const found = /<b>(\d+) ·/.exec(event.points[0].hovertext || "");
      if (found) showLayer(Number(found[1]));
    });
  }
  drawWindow();
  for (const id of ["timeline", "memory", "traffic-time"]) {
    $(id).on("plotly_relayout", (change) => {
      const first = change["xaxis.range[0]"], last = change["xaxis.range[1]"];
      for (const axis of ["yaxis", "yaxis2"]) {
        if (id === "memory" && `${axis}.range[0]` in change) {
          DATA.figures.memory.layout[axis].range = [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
          DATA.figures.memory.layout[axis].autorange = false;
        }
      }
      if (first !== undefined) setView(first, last);
      else if (id === "memory" && Object.keys(change).some((key) => key.startsWith("yaxis"))) drawMemory();
    });
    $(id).on("plotly_doubleclick", () => {
      Object.assign(DATA.figures.memory.layout.yaxis, { range: FULL[0].slice() });
      Object.assign(DATA.figures.memory.layout.yaxis2, { range: FULL[1].slice() });
      $("layer-choice").value = "";
      setView(0, CYCLES);
    });
  }
  const FULL = [DATA.figures.memory.layout.yaxis.range.slice(), DATA.figures.memory.layout.yaxis2.range.slice()];

  function showLayer(layer) {
    let first = Infinity, last = 0;
    for (let i = 0; i < owned.begin.length; i++) {
      if (owned.layer[i] !== layer) continue;
      first = Math.min(first, owned.begin[i]);
      last = Math.max(last, i + 1 < owned.begin.length ? owned.begin[i + 1] : CYCLES);
    }
    for (let i = 0; first === Infinity && i < COUNT; i++) if (column.layer[i] === layer) { first = column.start[i]; last = column.end[i] + 1; }
    if (first === Infinity) return;
    const margin = Math.max(4, 0.04 * (last - first));
    $("layer-choice").value = String(layer);
    setView(first - margin, last + margin);
    $("time").scrollIntoView();
  }
  $("layer-choice").addEventListener("change", (event) => { if (event.target.value === "") setView(0, CYCLES); else showLayer(Number(event.target.value)); });
  for (const button of document.querySelectorAll(".tools button")) {
    button.addEventListener("click", () => {
      const width = view[1] - view[0], middle = (view[0] + view[1]) / 2;
      if (button.dataset.zoom) setView(middle - width * button.dataset.zoom / 2, middle + width * button.dataset.zoom / 2);
      else setView(view[0] + width * button.dataset.move, view[1] + width * button.dataset.move);
    });
  }
  for (const element of document.querySelectorAll("[data-layer]")) {
    const show = () => showLayer(Number(element.dataset.layer));
    element.addEventListener("click", show);
    element.addEventListener("keydown", (event) => { if (event.key === "Enter") show(); });
  }

  const tip = $("tip");
  for (const element of document.querySelectorAll("[data-tip]")) {
    element.addEventListener("mousemove", (event) => {
      tip.innerHTML = element.dataset.tip;
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
      tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18}px`;
    });
    element.addEventListener("mouseleave", () => { tip.hidden = true; });
  }

  document.querySelectorAll("thead th").forEach((head, index) => {
    let down = head.classList.contains("n") && index > 0;
    head.addEventListener("click", () => {
      const body = head.closest("table").tBodies[0];
      const key = (row) => { const cell = row.cells[index]; return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent; };
      const sign = down ? -1 : 1;
      body.append(...Array.from(body.rows).sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)));
      down = !down;
    });
  });

  $("mhz").addEventListener("input", () => {
    const seconds = CYCLES / (Number($("mhz").value) * 1e6);
    if (!(seconds > 0 && Number.isFinite(seconds))) return;
    const [factor, unit] = seconds < 1e-3 ? [1e6, "µs"] : seconds < 1 ? [1e3, "ms"] : [1, "s"];
    $("clock-time").textContent = `${Number((seconds * factor).toPrecision(3))} ${unit}`;
    $("rate").textContent = (1 / seconds).toLocaleString("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
  });
})();
