// The sliders of a report: each shows its own frame out of the sheet of reconstructions.
document.documentElement.classList.add("live");
for (const cells of document.querySelectorAll(".cells")) {
  const sheet = document.querySelector(`#${cells.dataset.sheet} img`);
  sheet.closest("details").open = false;
  for (const cell of cells.children) {
    const canvas = cell.querySelector("canvas"), slider = cell.querySelector("input");
    const output = cell.querySelector("output"), row = Number(canvas.dataset.row);
    const show = () => {
      const { width, height } = canvas, padding = 1, column = slider.valueAsNumber;
      const change = (column - Number(slider.max) / 2) / 20;
      canvas.getContext("2d").drawImage(sheet, padding + column * (width + padding),
        padding + row * (height + padding), width, height, 0, 0, width, height);
      output.textContent = `${row + 1}: ${change > 0 ? "+" : ""}${change.toFixed(2)}`;
    };
    slider.addEventListener("input", show);
    sheet.decode().then(show);
  }
}
