// Registers tf's gradients. tf-core's bundle for Node leaves them out; its ES modules have them, but import one another
// without file extensions, which Node wants, so a hook adds them. Engine and registries are global, hence shared.
import { register } from 'node:module'

const hook = `
  export const resolve = async (specifier, context, next) =>
    specifier.startsWith('.') && context.parentURL?.includes('/tfjs-core/dist/')
      ? next(specifier, context).catch(() => next(specifier + '.js', context))
      : next(specifier, context)`

register(`data:text/javascript,${encodeURIComponent(hook)}`)

/** A name that TypeScript does not look up: the file has no types of its own worth having. */
const gradients = '@tensorflow/tfjs-core/dist/register_all_gradients.js'
await import(gradients)
