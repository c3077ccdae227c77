#ifndef STRATA_TESTS_SIM_TIMELINE_PAGE_H_
#define STRATA_TESTS_SIM_TIMELINE_PAGE_H_

#include <string_view>

// The page around a run's data (timeline.cc): it draws what is in the stretch
// of time that is shown; the wheel makes that longer or shorter, dragging moves
// it. Nothing is loaded from anywhere.
namespace strata::sim {

inline constexpr std::string_view kPageBegin = R"page(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Strata: a simulated run</title>
<style>
body { font: 13px sans-serif; margin: 12px; color: #222; }
h1 { font-size: 16px; } h1.wrong { color: #b00020; }
canvas { border: 1px solid #bbb; width: 100%; display: block; }
#hint { min-height: 2.6em; font-family: monospace; white-space: pre-wrap; }
label { margin-right: 10px; } i { padding: 0 8px; font-style: normal; }
</style></head><body>
<h1 id="title"></h1>
<div id="kinds"></div>
<div>wheel: longer or shorter; drag: earlier or later; point: what it is.
<i style="background:#2e7d32;color:#fff">leader</i>
<i style="background:#90a4ae">follower</i>
<i style="background:#ffcc80">no leader</i>
<i style="background:#ce93d8">paused</i>
<i style="background:#5d2b2b;color:#fff">down</i>
an operation: <i style="background:#1565c0;color:#fff">answered</i>
<i style="background:#e57373">not answered</i></div>
<canvas id="view" height="640"></canvas>
<div id="hint"></div>
<script>
)page";

inline constexpr std::string_view kPageEnd = R"page(
const kinds = [
  ["appends", [3], "#1565c0", true], ["their answers", [4], "#90caf9", true],
  ["votes", [5, 6, 17, 18], "#d84315", true], ["snapshots", [7], "#6a1b9a", true],
  ["heartbeats", [8, 9], "#bdbdbd", false],
  ["proposals, reads", [2, 15, 16], "#00897b", false],
  ["transfers", [13, 14], "#f9a825", true]];
const colours = {"leader": "#2e7d32", "follower": "#90a4ae",
  "no leader": "#ffcc80", "paused": "#ce93d8", "down": "#5d2b2b"};
const canvas = document.getElementById("view");
const pen = canvas.getContext("2d");
const laneTop = 40, laneGap = 95, band = 16;
const opsTop = laneTop + run.members.length * laneGap;
const rowHeight = 5;
let from = Math.max(0, run.end - 4000), to = run.end + 100;
let pointed = [], drag = null;

// Each operation gets the first row that is free when it begins.
const rowEnds = [];
run.operations.sort((a, b) => a[0] - b[0]);
for (const op of run.operations) {
  let row = 0;
  while (rowEnds[row] > op[0]) ++row;
  rowEnds[row] = op[1] + 1;
  op.row = row;
}
canvas.height = opsTop + Math.min(60, rowEnds.length) * rowHeight + 40;
const title = document.getElementById("title");
title.textContent = run.title;
if (run.title.includes(": ")) title.className = "wrong";
for (const kind of kinds) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox"; box.checked = kind[3];
  box.onchange = () => { kind[3] = box.checked; draw(); };
  label.append(box, kind[0]); label.style.color = kind[2];
  document.getElementById("kinds").append(label);
}

const x = t => (t - from) / (to - from) * canvas.width;
const laneY = m => laneTop + m * laneGap;
const seen = (a, b) => b >= from && a <= to;
function text(s, px, py, colour) {
  pen.fillStyle = colour; pen.fillText(s, px, py);
}
function drawMembers() {
  run.members.forEach((member, m) => {
    member.states.forEach((state, i) => {
      const next = i + 1 < member.states.length ? member.states[i + 1][0] : run.end;
      if (!seen(state[0], next)) return;
      const left = Math.max(0, x(state[0])), width = x(next) - left;
      pen.fillStyle = colours[state[1]];
      pen.fillRect(left, laneY(m), width, band);
      if (width > 60) text(state[1] + ", term " + state[2], left + 4, laneY(m) + 12,
                           state[1] == "leader" || state[1] == "down" ? "#fff" : "#222");
    });
    text(member.name, 4, laneY(m) - 4, "#222");
  });
}
function drawMessages() {
  for (const kind of kinds) {
    if (!kind[3]) continue;
    pen.strokeStyle = kind[2];
    for (const one of run.messages) {
      if (!kind[1].includes(one[4]) || !seen(one[0], one[1])) continue;
      const down = one[3] > one[2];
      const x1 = x(one[0]), y1 = laneY(one[2]) + (down ? band : 0);
      const x2 = x(one[1]), y2 = laneY(one[3]) + (down ? 0 : band);
      pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke();
      pen.fillStyle = kind[2]; pen.fillRect(x2 - 1.5, y2 - 1.5, 3, 3);
      pointed.push([x2, y2, one[6] + ", sent " + one[0] + " ms, received " + one[1]]);
    }
  }
}
function drawOperations() {
  for (const op of run.operations) {
    if (!seen(op[0], op[1])) continue;
    const y = opsTop + (op.row % 60) * rowHeight;
    pen.fillStyle = op[2] ? "#1565c0" : "#e57373";
    const width = Math.max(2, x(op[1]) - x(op[0]));
    pen.fillRect(x(op[0]), y, width, rowHeight - 1);
    pointed.push([x(op[0]) + Math.min(4, width / 2), y + 2, op[3]]);
  }
}
function drawFaults() {
  let level = 0;
  for (const [time, line] of run.faults) {
    if (!seen(time, time)) continue;
    pen.strokeStyle = "#b0002055"; pen.beginPath();
    pen.moveTo(x(time), 0); pen.lineTo(x(time), canvas.height - 14); pen.stroke();
    text(line, x(time) + 2, 10 + (level++ % 2) * 11, "#b00020");
  }
}
function draw() {
  canvas.width = canvas.clientWidth;
  pen.font = "11px sans-serif";
  pointed = [];
  drawMessages(); drawMembers(); drawOperations(); drawFaults();
  const step = Math.pow(10, Math.floor(Math.log10((to - from) / 5)));
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    text((t / 1000).toFixed(3) + " s", x(t), canvas.height - 3, "#666");
    if ((to - from) / step > 15) t += 4 * step;
  }
}
canvas.onwheel = event => {
  event.preventDefault();
  const at = from + event.offsetX / canvas.clientWidth * (to - from);
  const by = event.deltaY > 0 ? 1.25 : 0.8;
  from = at - (at - from) * by; to = at + (to - at) * by; draw();
};
canvas.onmousedown = event => { drag = event.offsetX; };
window.onmouseup = () => { drag = null; };
canvas.onmousemove = event => {
  if (drag !== null) {
    const by = (drag - event.offsetX) / canvas.clientWidth * (to - from);
    from += by; to += by; drag = event.offsetX; return draw();
  }
  let best = 12, found = "";
  for (const [px, py, line] of pointed) {
    const far = Math.hypot(px - event.offsetX, py - event.offsetY);
    if (far < best) { best = far; found = line; }
  }
  document.getElementById("hint").textContent = found;
};
window.onresize = draw;
draw();
document.body.dataset.drawn = pointed.length;
</script></body></html>
)page";

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_TIMELINE_PAGE_H_
