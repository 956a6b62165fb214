// Reads a day under the pointer, and opens the tables for paper. Nothing on the page needs it.
for (const figure of document.querySelectorAll("figure.trend")) {
  const points = figure.dataset.points.split(";").filter(Boolean).map((p) => p.split(" "));
  const readout = figure.querySelector(".readout");
  for (const svg of figure.querySelectorAll("svg[data-plot]")) {
    const [left, right, top, bottom] = svg.dataset.plot.split(" ").map(Number);
    const [first, last] = svg.dataset.days.split(" ").map(Number);
    const line = document.createElementNS(svg.namespaceURI, "line");
    line.setAttribute("class", "pointer");
    line.setAttribute("y1", top);
    line.setAttribute("y2", bottom);
    line.style.display = "none";
    svg.append(line);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      const day = first + (x - left) / (right - left) * (last - first) - 0.5;
      const near = points.reduce((a, b) => Math.abs(b[0] - day) < Math.abs(a[0] - day) ? b : a);
      const at = left + (Number(near[0]) + 0.5 - first) / (last - first) * (right - left);
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.style.display = "";
      const date = new Date(near[0] * 864e5).toISOString().slice(0, 10);
      const count = Number(near[1]).toLocaleString("en");
      readout.textContent = `${date}: primary ${near[2]}, corrected ${near[3]}, `
        + `as served ${near[4]} ${figure.dataset.unit}; ${count} questions that day`;
    });
    svg.addEventListener("pointerleave", () => {
      line.style.display = "none";
      readout.textContent = "";
    });
  }
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
