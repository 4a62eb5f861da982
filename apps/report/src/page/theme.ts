// Light, dark, or as the system says. The choice outlives the page if the browser has storage for files.
import { button } from './dom.js'

const THEMES = ['auto', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]
const STORE = 'embed-kd report theme'

export function restoreTheme(): void {
  apply(stored())
}

/** A button that goes through the three. */
export function themeButton(): HTMLElement {
  let theme = stored()
  const label = () => `Theme: ${theme}`
  const node = button(
    label(),
    () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!
      apply(theme)
      try {
        localStorage.setItem(STORE, theme)
      } catch {
        // Some browsers keep nothing for files: the choice then ends with the page.
      }
      node.textContent = label()
    },
    { class: 'quiet' },
  )
  return node
}

function stored(): Theme {
  try {
    const found = localStorage.getItem(STORE)
    return THEMES.find((theme) => theme === found) ?? 'auto'
  } catch {
    return 'auto'
  }
}

function apply(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme
}
