// Finds a Python with numpy and safetensors, for tests of programs that readers of the docs run.
import { execFileSync } from 'node:child_process'

/** The command, or undefined if there is none. */
export const python = [process.env['EMBED_KD_PYTHON'], 'python3'].find((command) => {
  try {
    execFileSync(command ?? 'false', ['-c', 'import numpy, safetensors'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})
