// Centroids from a file on disk, checked against the data set they are for.
import { readFileSync } from 'node:fs'

import { messageOf, parseSafetensors, UserError } from '@embed-kd/core'

import type { Centroids } from '../../embeddings/embeddings.js'
import { parseEmbeddings, stackVectors } from '../../embeddings/file.js'
import { centroidMetadata, parseMetadata } from './metadata.js'

/**
 * Loads centroids from a file of `embed-kd embed` or `writeEmbeddings`; or from any safetensors file with one matrix
 * [classes, width], or with one vector for each class under the class's name, such as text embeddings of the names.
 * @throws UserError if the file has another number of classes than the data set, or calls the classes otherwise.
 */
export function loadCentroids(
  path: string,
  {
    classes,
    classNames = [],
  }: { readonly classes: number; readonly classNames?: readonly string[] },
): Centroids {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new UserError(`${path} cannot be opened (${messageOf(error)})`, 'check the path')
  }
  const { tensors, metadata } = parseFile(bytes, path)
  if ('format' in metadata) parseMetadata(centroidMetadata, metadata, path)
  // Vectors under the classes' names are taken in the data set's order of the classes.
  const byName = classNames.length > 0 && classNames.every((name) => tensors.has(name))
  const found = byName ? stackVectors(tensors, classNames, path) : parseEmbeddings(bytes, path)
  if (found.kind === 'samples')
    throw new UserError(
      `${path} has an embedding for each image, but one for each class is needed`,
      'make the file with embed-kd embed --kind centroids, or choose cached-kd',
    )
  if (found.classes !== classes)
    throw new UserError(
      `${path} has ${found.classes * found.prototypes} centroids, the data set needs ${classes * found.prototypes} for its ${classes} classes`,
      'use centroids of the same data set',
    )
  const names = found.classNames ?? []
  const other = names.findIndex((name, i) => i < classNames.length && name !== classNames[i])
  if (other >= 0)
    throw new UserError(
      `${path} calls class ${other} ${JSON.stringify(names[other])}, the data set ${JSON.stringify(classNames[other])}`,
      'use centroids of the same data set',
    )
  return found
}

function parseFile(bytes: Uint8Array, path: string) {
  try {
    return parseSafetensors(bytes)
  } catch (error) {
    throw new UserError(`${path}: ${messageOf(error)}`, 'give a whole safetensors file')
  }
}
