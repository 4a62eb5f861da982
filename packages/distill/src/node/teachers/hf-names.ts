// Where the tensors of published vision transformers are in our parameter tree, and back. Names only: what a configuration means is in
// hf-families.ts, what becomes of the tensors in hf.ts.

/** Tensors of a checkpoint that make one of ours: one as it is, several along the first axis, or one part of several. */
export type Source =
  | string
  | { readonly stack: readonly string[] }
  | { readonly part: number; readonly of: number; readonly name: string }

/** A family's names for our parameters. */
export interface Layout {
  /** The tensor that every encoder of the family has, by which the prefix of all names is found. */
  readonly marker: string
  /** Names of a block, of which `{}` is the number; the first that is there counts. */
  readonly blocks: readonly string[]
  /**
   * Sources by our name, the preferred one first. Those of `blocks.{}.` follow the name of the block; those outside the encoder begin
   * with a slash.
   */
  readonly names: Readonly<Record<string, readonly Source[]>>
}

const one = (ours: string, ...theirs: readonly Source[]) => ({ [ours]: theirs })

/** Weight and bias of a layer. */
const layer = (ours: string, ...theirs: readonly Source[]) =>
  Object.fromEntries(
    ['weight', 'bias'].map((kind) => [
      `${ours}.${kind}`,
      theirs.map((source) =>
        typeof source === 'string'
          ? `${source}.${kind}`
          : 'part' in source
            ? { ...source, name: `${source.name}.${kind}` }
            : { stack: source.stack.map((name) => `${name}.${kind}`) },
      ),
    ]),
  )

/** Query, key and value, stacked in ours; each source is three names or one that is stacked already. */
const stacked = (
  ours: string,
  ...theirs: readonly (string | readonly [string, string, string])[]
) =>
  Object.fromEntries(
    ['weight', 'bias'].map((kind) => [
      `${ours}.in_proj_${kind}`,
      theirs.map((source): Source =>
        typeof source === 'string'
          ? `${source}${kind}`
          : { stack: source.map((name) => `${name}.${kind}`) },
      ),
    ]),
  )

const vitEmbeddings = {
  ...one('class_token', 'embeddings.cls_token'),
  ...one('pos_embed', 'embeddings.position_embeddings'),
  ...layer('patch_embed', 'embeddings.patch_embeddings.projection'),
  ...layer('norm_post', 'layernorm'),
  ...layer('classifier', '/classifier'),
}

/** Attention under the names of transformers up to 4 and, shorter, from 5 on. */
const vitAttention = {
  ...stacked(
    'blocks.{}.attn',
    ['attention.attention.query', 'attention.attention.key', 'attention.attention.value'],
    ['attention.q_proj', 'attention.k_proj', 'attention.v_proj'],
  ),
  ...layer('blocks.{}.attn.out_proj', 'attention.output.dense', 'attention.o_proj'),
}

const vit: Layout = {
  marker: 'embeddings.patch_embeddings.projection.weight',
  blocks: ['encoder.layer.{}', 'layers.{}'],
  names: {
    ...vitEmbeddings,
    ...vitAttention,
    ...layer('blocks.{}.norm1', 'layernorm_before'),
    ...layer('blocks.{}.norm2', 'layernorm_after'),
    ...layer('blocks.{}.fc1', 'intermediate.dense', 'mlp.fc1'),
    ...layer('blocks.{}.fc2', 'output.dense', 'mlp.fc2'),
  },
}

const deit: Layout = {
  ...vit,
  names: { ...vit.names, ...one('register_tokens', 'embeddings.distillation_token') },
}

const beit: Layout = {
  ...vit,
  names: {
    ...vit.names,
    ...one('blocks.{}.scale1', 'lambda_1'),
    ...one('blocks.{}.scale2', 'lambda_2'),
    ...one(
      'blocks.{}.attention_bias',
      'attention.attention.relative_position_bias.relative_position_bias_table',
      'relative_position_bias.relative_position_bias_table',
      '/encoder.relative_position_bias.relative_position_bias_table',
      '/relative_position_bias.relative_position_bias_table',
    ),
    ...layer('norm_post', 'pooler.layernorm', 'layernorm', '/layernorm'),
  },
}

const dinoBlock = {
  ...vitAttention,
  ...layer('blocks.{}.norm1', 'norm1'),
  ...layer('blocks.{}.norm2', 'norm2'),
  ...one('blocks.{}.scale1', 'layer_scale1.lambda1'),
  ...one('blocks.{}.scale2', 'layer_scale2.lambda1'),
  ...layer('blocks.{}.gate', 'mlp.gate_proj', { name: 'mlp.weights_in', part: 0, of: 2 }),
  ...layer('blocks.{}.fc1', 'mlp.up_proj', 'mlp.fc1', { name: 'mlp.weights_in', part: 1, of: 2 }),
  ...layer('blocks.{}.fc2', 'mlp.down_proj', 'mlp.fc2', 'mlp.weights_out'),
}

const dinov2: Layout = {
  ...vit,
  names: {
    ...vitEmbeddings,
    ...one('register_tokens', 'embeddings.register_tokens'),
    ...dinoBlock,
  },
}

const dinov3: Layout = {
  marker: 'embeddings.patch_embeddings.weight',
  blocks: ['layer.{}', 'model.layer.{}'],
  names: {
    ...one('class_token', 'embeddings.cls_token'),
    ...one('register_tokens', 'embeddings.register_tokens'),
    ...layer('patch_embed', 'embeddings.patch_embeddings'),
    ...dinoBlock,
    ...layer('norm_post', 'norm'),
  },
}

const clip: Layout = {
  marker: 'embeddings.patch_embedding.weight',
  blocks: ['encoder.layers.{}'],
  names: {
    ...one('class_token', 'embeddings.class_embedding'),
    ...one('pos_embed', 'embeddings.position_embedding.weight'),
    ...layer('patch_embed', 'embeddings.patch_embedding'),
    // The misspelling is theirs.
    ...layer('norm_pre', 'pre_layrnorm', 'pre_layernorm'),
    ...stacked('blocks.{}.attn', ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']),
    ...layer('blocks.{}.attn.out_proj', 'self_attn.out_proj'),
    ...layer('blocks.{}.norm1', 'layer_norm1'),
    ...layer('blocks.{}.norm2', 'layer_norm2'),
    ...layer('blocks.{}.fc1', 'mlp.fc1'),
    ...layer('blocks.{}.fc2', 'mlp.fc2'),
    ...layer('norm_post', 'post_layernorm'),
    ...layer('projection', '/visual_projection'),
    ...layer('classifier', '/classifier'),
  },
}

const siglip: Layout = {
  ...clip,
  names: {
    ...clip.names,
    ...one('pool.query', 'head.probe'),
    ...stacked('pool.attn', 'head.attention.in_proj_'),
    ...layer('pool.attn.out_proj', 'head.attention.out_proj'),
    ...layer('pool.norm', 'head.layernorm'),
    ...layer('pool.fc1', 'head.mlp.fc1'),
    ...layer('pool.fc2', 'head.mlp.fc2'),
  },
}

/** Students exported here keep our own names. */
const student: Layout = { marker: 'patch_embed.weight', blocks: ['blocks.{}'], names: {} }

export const layouts = { vit, deit, beit, dinov2, dinov3, clip, siglip, siglip2: siglip, student }

/** Finds tensors of one encoder in a checkpoint. */
export class TensorNames {
  readonly #layout: Layout
  readonly #prefix: string
  readonly #has: (name: string) => boolean

  /** @param prefix of the encoder's tensors, as `findPrefixes` gives it. @param has whether a tensor is there. */
  constructor(layout: Layout, prefix: string, has: (name: string) => boolean) {
    this.#layout = layout
    this.#prefix = prefix
    this.#has = has
  }

  /**
   * The source of our parameter `name`, with full names. If none of the known sources is there, it is the preferred one. A name with a
   * slash is one of theirs outside the encoder.
   */
  find(name: string): Source {
    const [, block] = /^blocks\.(\d+)\./.exec(name) ?? []
    const { names, blocks } = this.#layout
    const generic = name.replace(/^blocks\.\d+\./, 'blocks.{}.')
    const sources = name.startsWith('/') ? [name] : (names[generic] ?? [name])
    const relative = (theirs: string, place: string) =>
      theirs.startsWith('/') || names[generic] === undefined ? theirs : place + theirs
    const places =
      block === undefined ? [''] : blocks.map((path) => `${path.replace('{}', block)}.`)
    const candidates = places.flatMap((place) =>
      sources.flatMap((source) => this.#spellings(source, (theirs) => relative(theirs, place))),
    )
    return candidates.find((source) => this.#isThere(source)) ?? candidates[0]!
  }

  /** Those of the names that belong to blocks of the encoder. */
  blockTensors(names: readonly string[]): string[] {
    const starts = ancestors(this.#prefix).flatMap((prefix) =>
      this.#layout.blocks.map((path) => prefix + path.replace('{}', '')),
    )
    return names.filter((name) =>
      starts.some((start) => name.startsWith(start) && /^\d+\./.test(name.slice(start.length))),
    )
  }

  /** Names outside the encoder, and in some checkpoints names inside, stand behind only the beginning of the prefix. */
  #spellings(source: Source, place: (name: string) => string): Source[] {
    const spelled = (name: string): string[] => {
      const placed = place(name).replace(/^\//, '')
      return ancestors(this.#prefix).map((prefix) => prefix + placed)
    }
    if (typeof source === 'string') return spelled(source)
    if ('part' in source) return spelled(source.name).map((name) => ({ ...source, name }))
    const found = (names: string[]) => names.find((name) => this.#has(name)) ?? names[0]!
    return [{ stack: source.stack.map((name) => found(spelled(name))) }]
  }

  #isThere(source: Source): boolean {
    if (typeof source === 'string') return this.#has(source)
    return 'part' in source ? this.#has(source.name) : source.stack.some((name) => this.#has(name))
  }
}

/** `a.b.` gives `a.b.`, `a.` and the empty prefix. */
function ancestors(prefix: string): string[] {
  const parts = prefix.split('.').slice(0, -1)
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((part) => `${part}.`)
      .join(''),
  )
}

/** Whatever stands before the encoder's tensors in a checkpoint: wrappers and larger models, recognised by the marker. */
export const findPrefixes = ({ marker }: Layout, names: Iterable<string>): string[] =>
  [...names]
    .filter((name) => name === marker || name.endsWith(`.${marker}`))
    .map((name) => name.slice(0, -marker.length))

/** The tensors of a plain vision transformer under the names that transformers writes. */
export function hfNames(name: string): readonly string[] {
  const names = new TensorNames(vit, 'vit.', (theirs) => !theirs.startsWith('vit.classifier.'))
  const source = names.find(name)
  if (typeof source === 'string') return [source]
  if ('stack' in source) return source.stack
  throw new Error(`a plain vision transformer has no name for the parameter ${name}`)
}
