// Runs a function of symbolic tensors on a backend, host tensors in and out: what most tests here need.
import { op, trace, type Backend, type HostTensor, type Tensor } from '@embed-kd/core'

/** `{ dtype, shape, values }` of each output by name; the buffers are disposed. */
export async function runOn<K extends string>(
  backend: Backend,
  inputs: Record<K, HostTensor>,
  body: (inputs: Record<K, Tensor>) => Record<string, Tensor>,
): Promise<Record<string, { dtype: string; shape: readonly number[]; values: readonly number[] }>> {
  const specs = Object.fromEntries(
    Object.entries<HostTensor>(inputs).map(([name, { dtype, shape }]) => [
      name,
      { dtype, shape, role: 'batch' as const },
    ]),
  )
  const executable = await backend.compile(
    trace('test', specs, (symbols) => body(symbols as Record<K, Tensor>)),
  )
  const feeds = Object.fromEntries(
    await Promise.all(
      Object.entries<HostTensor>(inputs).map(
        async ([name, tensor]) => [name, await backend.upload(tensor)] as const,
      ),
    ),
  )
  const results = await executable.run(feeds)
  const read = await Promise.all(
    Object.entries(results).map(async ([name, buffer]) => {
      const { dtype, shape, data } = await backend.read(buffer)
      buffer.dispose()
      return [name, { dtype, shape, values: [...data] }] as const
    }),
  )
  for (const buffer of Object.values(feeds)) buffer.dispose()
  await executable.dispose()
  return Object.fromEntries(read)
}

export { op }
