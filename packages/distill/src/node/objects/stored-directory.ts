// A directory of an object store that a sweep writes to: its files are on this machine, and are copied to the store when they change.
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { defaultCacheDirectory, unfinishedName } from '../data/cache-directory.js'
import { hashOf } from '../files/tensors.js'
import { formatAddress, parseAddress, type Address } from './address.js'
import { ObjectStore } from './store.js'
import { endpointOf } from './client.js'
import { makeDirectory } from '../files/make-directory.js'

export class StoredDirectory {
  /** Directory on this machine. */
  readonly directory: string
  readonly #store = new ObjectStore()
  readonly #address: Address

  /** @throws UserError if the address names no bucket, or the client of stores is not installed. */
  constructor(text: string) {
    const { bucket, key } = parseAddress(text)
    this.#address = { bucket, key: key.replace(/\/*$/, key === '' ? '' : '/') }
    const name = `results-${hashOf({ endpoint: endpointOf(), ...this.#address })}`
    this.directory = join(defaultCacheDirectory(), name)
  }

  /** Returns the address of a file. */
  addressOf(name: string): string {
    return formatAddress(this.#of(name))
  }

  /** Whether the store has a file. */
  async has(name: string): Promise<boolean> {
    return (await this.#store.find(this.#of(name))) !== undefined
  }

  /** Copies a file from the store, if the store has more of it than this machine: another machine went on with it. */
  async fetch(name: string): Promise<void> {
    const object = await this.#store.find(this.#of(name))
    const file = join(this.directory, name)
    const here = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (!object || object.bytes <= here) return
    makeDirectory(this.directory)
    const unfinished = join(this.directory, unfinishedName(name))
    await this.#store.download(object, unfinished)
    renameSync(unfinished, file)
  }

  /** Copies a file to the store. */
  send(name: string): Promise<void> {
    return this.#store.upload(join(this.directory, name), this.#of(name))
  }

  #of(name: string): Address {
    return { ...this.#address, key: `${this.#address.key}${name}` }
  }
}
