// Links from words of a text to the glossary at the end of the page, which the build copies from the documentation.
import { element } from './dom.js'

/** Returns the page's terms with the ids of their entries, longest first, so that no term hides in another. */
const terms: readonly (readonly [term: string, id: string])[] = Array.from(
  document.querySelectorAll<HTMLTemplateElement>('template#glossary'),
  ({ content }) =>
    Array.from(
      content.querySelectorAll('dt'),
      (node) => [node.textContent, node.parentElement!.id] as const,
    ),
)
  .flat()
  .sort(([a], [b]) => b.length - a.length)

const pattern = new RegExp(`\\b(${terms.map(([term]) => term).join('|')})s?\\b`, 'g')

/** Returns the text with the first mention of each term as a link to its entry. */
export function withTerms(text: string): (Node | string)[] {
  const known = new Set<string>()
  const parts: (Node | string)[] = []
  let from = 0
  for (const { 0: word, 1: singular, index } of text.matchAll(pattern)) {
    const entry = terms.find(([term]) => term === singular)
    if (entry === undefined || known.has(entry[1])) continue
    known.add(entry[1])
    parts.push(text.slice(from, index), link(word, entry[1]))
    from = index + word.length
  }
  return [...parts, text.slice(from)]
}

/** The fragment of the address holds the reader's choices, so that a link must not change it. */
function link(word: string, id: string): HTMLElement {
  const node = element('a', { class: 'term', href: `#${id}` }, word)
  node.addEventListener('click', (event) => {
    event.preventDefault()
    const target = document.querySelector<HTMLElement>(`div#${CSS.escape(id)}`)
    target?.scrollIntoView({ block: 'center' })
    target?.setAttribute('tabindex', '-1')
    target?.focus({ preventScroll: true })
  })
  return node
}
