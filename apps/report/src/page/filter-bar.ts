// The filters, one menu of checkboxes a dimension. They narrow everything on the page.
import { DIMENSIONS, type Dimension, valuesOf } from '../model/filters.js'
import { button, element } from './dom.js'
import type { App } from './app.js'
import type { Part } from './app.js'

export function createFilterBar(app: App): Part {
  const { records } = app.content
  const menus = DIMENSIONS.flatMap((dimension) => {
    const values = valuesOf(records, dimension).filter(([value]) => value !== 'no teacher')
    return values.length < 2 ? [] : [createMenu(app, dimension, values)]
  })
  const count = element('span', { class: 'count', role: 'status' })
  const reset = button('Show all', () => app.change({ filters: {} }), { class: 'quiet' })
  const node = element(
    'form',
    { class: 'filters', 'aria-label': 'Filters', hidden: menus.length === 0 },
    ...menus.map(({ node }) => node),
    count,
    reset,
  )
  // One menu at a time; a click elsewhere or Escape closes it.
  document.addEventListener('click', (event) => {
    for (const { node } of menus) if (!node.contains(event.target as Node)) node.open = false
  })
  node.addEventListener('keydown', (event) => {
    const open = menus.find(({ node }) => node.open)
    if (event.key !== 'Escape' || open === undefined) return
    open.node.open = false
    open.node.querySelector('summary')?.focus()
  })
  return {
    node,
    update: (view) => {
      const all = records.length
      const shown = view.records.length
      for (const menu of menus) menu.update()
      count.textContent =
        shown === all
          ? `${all.toLocaleString('en')} trials`
          : `${shown.toLocaleString('en')} of ${all.toLocaleString('en')} trials`
      reset.hidden = shown === all
    },
  }
}

function createMenu(
  app: App,
  dimension: Dimension,
  values: readonly (readonly [string, number])[],
) {
  const name = dimension.name ?? ((value: string) => value)
  const state = element('span', { class: 'chosen' })
  const boxes = values.map(([value]) =>
    element('input', { type: 'checkbox', name: dimension.id, value }),
  )
  const node = element(
    'details',
    { class: 'menu' },
    element('summary', {}, `${dimension.label} `, state),
    element(
      'fieldset',
      {},
      element('legend', { class: 'unseen' }, dimension.label),
      ...boxes.map((box, at) => {
        const [value, count] = values[at]!
        return element(
          'label',
          {},
          box,
          element('span', {}, name(value)),
          element('span', { class: 'tally' }, count.toLocaleString('en')),
        )
      }),
    ),
  )
  node.addEventListener('change', () => {
    const chosen = boxes.filter(({ checked }) => checked).map(({ value }) => value)
    app.change({ filters: { ...app.state().filters, [dimension.id]: chosen } })
  })
  return {
    node,
    update: () => {
      const chosen = app.state().filters[dimension.id] ?? []
      for (const box of boxes) box.checked = chosen.includes(box.value)
      state.textContent =
        chosen.length === 0
          ? 'all'
          : chosen.length === 1
            ? name(chosen[0]!)
            : `${chosen.length} of ${values.length}`
      node.classList.toggle('active', chosen.length > 0)
    },
  }
}
