// Trees: nested objects and arrays whose leaves are flattened to dotted names (`blocks.0.fc1.weight`). Parameters, optimizer
// state, batches and inputs of graphs are trees. The dotted names are also the names in checkpoints.

export type Tree<T> = T | { readonly [key: string]: Tree<T> } | readonly Tree<T>[]

/** The tree `S` with its leaves replaced by `T`. */
export type MapLeaves<S, L, T> = S extends L
  ? T
  : { readonly [K in keyof S]: MapLeaves<S[K], L, T> }

type IsLeaf<T> = (node: unknown) => node is T

/** Returns the leaves of a tree by dotted name, in order of definition. */
export function flattenTree<T>(tree: unknown, isLeaf: IsLeaf<T>, prefix = ''): Map<string, T> {
  const leaves = new Map<string, T>()
  const visit = (node: unknown, name: string): void => {
    if (isLeaf(node)) leaves.set(name, node)
    else
      for (const [key, child] of Object.entries(node as object))
        if (child !== undefined) visit(child, name === '' ? key : `${name}.${key}`)
  }
  visit(tree, prefix)
  return leaves
}

/** Returns a tree of the same structure with each leaf replaced; `replace` gets the leaf and its dotted name. */
export function mapTree<S, L, T>(
  tree: S,
  isLeaf: IsLeaf<L>,
  replace: (leaf: L, name: string) => T,
  prefix = '',
): MapLeaves<S, L, T> {
  const visit = (node: unknown, name: string): unknown => {
    if (isLeaf(node)) return replace(node, name)
    if (node === undefined) return undefined
    const join = (key: string | number) => (name === '' ? `${key}` : `${name}.${key}`)
    return Array.isArray(node)
      ? node.map((child, i) => visit(child, join(i)))
      : Object.fromEntries(
          Object.entries(node as object).map(([key, child]) => [key, visit(child, join(key))]),
        )
  }
  return visit(tree, prefix) as MapLeaves<S, L, T>
}
