// Elements of the page, found and made.
export const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T

export const button = (id: string): HTMLButtonElement => element<HTMLButtonElement>(id)

export const show = (id: string, visible: boolean): void => {
  element(id).hidden = !visible
}

export const create = <K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = '',
  className = '',
): HTMLElementTagNameMap[K] => {
  const made = document.createElement(name)
  made.textContent = text
  made.className = className
  return made
}
