// Parts of the page that the build adds to index.html: the glossary of the documentation, and the licences of the packages whose
// code the page carries. Both are templates, so that the page shows them only where it wants to.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const escaped = (/** @type {string} */ text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Returns the table of docs/glossary.md as a list of definitions. */
function glossary() {
  const text = readFileSync(new URL('../../docs/glossary.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| (.+?) \| (.+) \|$/gm)].filter(
    ([, term]) => term !== 'term' && !term.startsWith('-'),
  )
  if (rows.length === 0) throw new Error('docs/glossary.md has no table of terms')
  const entries = rows.map(([, term, meaning]) => {
    const plain = meaning.replaceAll('`', '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    return `<div id="term-${escaped(term.replaceAll(' ', '-'))}"><dt>${escaped(term)}</dt><dd>${escaped(plain)}</dd></div>`
  })
  return `<template id="glossary"><dl class="notes">${entries.join('')}</dl></template>`
}

/** Returns the folder of the package that a module belongs to; undefined for the project's own modules. */
function packageOf(/** @type {string} */ id) {
  let folder = dirname(id.replace(/^\0/, ''))
  if (!folder.includes('/node_modules/')) return undefined
  while (!existsSync(join(folder, 'package.json')) || !nameIn(folder)) folder = dirname(folder)
  return folder
}

const nameIn = (/** @type {string} */ folder) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name

/** Returns the licences of packages, each text once, under the names of the packages that have it. */
function licences(/** @type {Iterable<string>} */ folders) {
  /** @type {Map<string, string[]>} */
  const byText = new Map()
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    )
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`${name} has no file with its licence`)
    const text = readFileSync(join(folder, file), 'utf8').trim()
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`])
  }
  const parts = Array.from(byText, ([text, names]) => `${names.join('\n')}\n\n${text}`)
  return `<template id="licences">${escaped(parts.join(`\n\n${'-'.repeat(40)}\n\n`))}</template>`
}

/** @returns {import('vite').Plugin} a plugin that adds the parts before the end of the page's body. */
export function pageParts() {
  /** @type {Set<string>} */
  const bundled = new Set()
  return {
    name: 'page-parts',
    renderChunk(_code, { modules }) {
      for (const [id, { renderedLength }] of Object.entries(modules)) {
        const folder = renderedLength > 0 ? packageOf(id) : undefined
        if (folder !== undefined) bundled.add(folder)
      }
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const page = bundle['index.html']
        if (page?.type !== 'asset' || typeof page.source !== 'string')
          throw new Error('expected the bundle to hold index.html as text')
        const parts = `${glossary()}${licences(bundled)}`
        page.source = page.source.replace('</body>', () => `${parts}</body>`)
      },
    },
  }
}
