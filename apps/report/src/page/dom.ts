// Elements from names, attributes and children. Text becomes text nodes and nothing is ever parsed as HTML, so that
// whatever a record holds stays text.

export type Child = Node | string | undefined | readonly Child[]
export type Attributes = Readonly<Record<string, string | boolean | undefined>>

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    node.setAttribute(name, value === true ? '' : value)
  }
  append(node, children)
  return node
}

function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined) continue
    if (typeof child === 'string') parent.appendChild(document.createTextNode(child))
    else if (child instanceof Node) parent.appendChild(child)
    else append(parent, child)
  }
}

export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren()
  append(parent, children)
}

export function button(label: string, act: () => void, attributes: Attributes = {}): HTMLElement {
  const node = element('button', { type: 'button', ...attributes }, label)
  node.addEventListener('click', act)
  return node
}

/** A table of plain text, its first column naming the rows. */
export function textTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  caption?: string,
): HTMLTableElement {
  return element(
    'table',
    { class: 'plain' },
    caption === undefined ? undefined : element('caption', {}, caption),
    element(
      'thead',
      {},
      element('tr', {}, ...columns.map((name) => element('th', { scope: 'col' }, name))),
    ),
    element(
      'tbody',
      {},
      ...rows.map((cells) =>
        element(
          'tr',
          {},
          ...cells.map((cell, at) =>
            at === 0 ? element('th', { scope: 'row' }, cell) : element('td', {}, cell),
          ),
        ),
      ),
    ),
  )
}
