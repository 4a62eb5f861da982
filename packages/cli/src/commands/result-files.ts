// Records to read and results to write, on this machine or in an object store.
import { resolve } from 'node:path'

import { isObjectAddress, mirrorRecords, openOutput, writeOutputFile } from '@embed-kd/distill/node'

/** Returns the path of records, or of their copies if they are in an object store. */
export const localRecords = (path: string): Promise<string> =>
  isObjectAddress(path) ? mirrorRecords(path) : Promise.resolve(path)

/** Writes a file or an object, and returns its full name. */
export async function writeResult(
  out: string,
  content: string | Iterable<string>,
): Promise<string> {
  const output = openOutput(out)
  const file = resolve(output.file)
  writeOutputFile(file, content)
  return output.finish(file)
}
