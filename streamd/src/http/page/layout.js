// How several pictures fill the stage.

/**
 * Places tiles so that the pictures are as large as can be and no corner stays empty: a last row
 * that is not full stands in the middle, and of three in a wide stage the first is twice as large.
 * @param {HTMLElement} stage
 * @param {{root: HTMLElement, ratio: number}[]} tiles in their order
 */
export function arrange(stage, tiles) {
  if (!tiles.length) return;
  const { paddingLeft, paddingRight, paddingTop, paddingBottom } = getComputedStyle(stage);
  const width = stage.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const height = stage.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
  const count = tiles.length;
  const ratio = tiles.reduce((sum, tile) => sum + tile.ratio, 0) / count;
  const shown = (columns, rows) => Math.min(width / columns, (height / rows) * ratio);
  const large = count === 3 && shown(3, 2) * 2 >= shown(2, 2);
  let columns = 1;
  for (let n = 2; n <= count; n++) {
    if (shown(n, Math.ceil(count / n)) > shown(columns, Math.ceil(count / columns)) + 1) columns = n;
  }
  if (large) columns = 3;
  const rows = large ? 2 : Math.ceil(count / columns);
  // Rows and columns are no larger than the pictures in them, so that these stand together.
  const ratios = tiles.map((tile) => tile.ratio);
  const row = Math.min(height / rows, width / columns / Math.min(...ratios));
  const column = Math.min(width / columns, row * Math.max(...ratios));
  const places = { columns: columns * 2, rows, row: `${row}px`, column: `${column / 2}px` };
  for (const [name, value] of Object.entries(places)) stage.style.setProperty(`--${name}`, value);
  // In half columns, so that a last row can stand in the middle.
  const gap = large ? 0 : columns * rows - count;
  tiles.forEach(({ root }, n) => {
    const opensLastRow = gap > 0 && n === columns * (rows - 1);
    const big = large && n === 0;
    root.style.gridColumn = `${opensLastRow ? 1 + gap : "auto"} / span ${big ? 4 : 2}`;
    root.style.gridRow = big ? "auto / span 2" : "auto";
  });
}
