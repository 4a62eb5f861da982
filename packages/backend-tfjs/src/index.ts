// The package's door: one factory, under the name that command lines look for (`backend`) and under its own.
export { tfjsBackend, tfjsBackend as backend } from './backend.js'
