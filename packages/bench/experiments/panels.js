// Draws rows of panels with two logarithmic axes as one SVG: a row for each quantity, a column for each number that was varied.
// Lines are what was planned, dots what was measured.

const [WIDTH, HEIGHT, LEFT, GAP, TOP, ROW] = [190, 170, 58, 34, 34, 280]
const COLOURS = ['#8a8a8a', '#c2740c', '#1b6ca8']

/** Returns the position of numbers between two ends on a logarithmic axis. */
function logScale(numbers, [from, to]) {
  const [low, high] = [Math.log(Math.min(...numbers)), Math.log(Math.max(...numbers))]
  return (number) => from + ((Math.log(number) - low) / (high - low)) * (to - from)
}

const text = (x, y, anchor, words, style = '') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}"${style}>${words}</text>`

/**
 * Returns an SVG.
 * @param rows quantities: a title, the series `{ key, name, line }`, and groups `{ varied, points }` whose points have a `value` and
 *   a number for each key
 */
export function drawPanels(rows) {
  const columns = rows[0].groups.length
  const width = LEFT + columns * (WIDTH + GAP)
  const body = rows.map(({ title, groups, series }, i) => {
    const top = TOP + i * ROW
    const numbers = groups.flatMap(({ points }) =>
      points.flatMap((point) => series.flatMap(({ key }) => point[key] ?? [])),
    )
    const decades = [
      Math.floor(Math.log10(Math.min(...numbers))),
      Math.ceil(Math.log10(Math.max(...numbers))),
    ]
    const ticks = Array.from(
      { length: decades[1] - decades[0] + 1 },
      (_, k) => 10 ** (decades[0] + k),
    )
    const y = logScale(ticks, [top + HEIGHT, top])
    const right = LEFT + columns * (WIDTH + GAP) - GAP
    const grid = ticks.map(
      (tick) =>
        `<line x1="${LEFT}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e4e4e4"/>` +
        text(LEFT - 8, y(tick) + 4, 'end', tick.toLocaleString('en')),
    )
    const colours = series.map((_, k) => COLOURS[series.length === 2 ? 2 * k : k])
    const panels = groups.map(({ varied, points }, column) => {
      const left = LEFT + column * (WIDTH + GAP)
      const values = points.map(({ value }) => value)
      const x = logScale(values, [left + 12, left + WIDTH - 12])
      const marks = series.map(({ key, line }, k) => {
        const placed = points.filter((point) => point[key] !== undefined)
        const at = placed.map((point) => [x(point.value).toFixed(1), y(point[key]).toFixed(1)])
        return line
          ? `<polyline points="${at.join(' ')}" fill="none" stroke="${colours[k]}" stroke-width="2"/>`
          : at
              .map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="4" fill="${colours[k]}"/>`)
              .join('')
      })
      const labels = values.map((value) =>
        text(x(value), top + HEIGHT + 18, 'middle', value.toLocaleString('en')),
      )
      return [...marks, ...labels, text(left + WIDTH / 2, top + HEIGHT + 36, 'middle', varied)]
    })
    let offset = LEFT
    const legend = series.map(({ name, line }, k) => {
      const at = offset
      offset += 44 + 6.4 * name.length
      const [cx, cy] = [at + 10, top + HEIGHT + 58]
      const mark = line
        ? `<line x1="${at}" x2="${at + 20}" y1="${cy}" y2="${cy}" stroke="${colours[k]}" stroke-width="2"/>`
        : `<circle cx="${cx}" cy="${cy}" r="4" fill="${colours[k]}"/>`
      return mark + text(at + 26, cy + 4, 'start', name)
    })
    return [
      text(LEFT, top - 14, 'start', title, ' font-weight="600"'),
      ...grid,
      ...panels.flat(),
      ...legend,
    ]
  })
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${TOP + rows.length * ROW}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#333">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${body.flat().join('\n')}\n</svg>\n`
  )
}
