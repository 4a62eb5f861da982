// Where the tensors of Hugging Face's vision transformers are in our parameter tree, and back. Names only: what a configuration
// means is in hf-config.ts, what is in the files in hf.ts.

/** A family's names for our parameters. `{}` stands for a block's number. */
interface Layout {
  /** What may stand before every name: the encoder alone, or inside a larger model. */
  readonly prefixes: readonly string[]
  /** Ours to theirs, of one tensor. Those outside the encoder begin with a slash: no prefix applies. */
  readonly names: Readonly<Record<string, string>>
  /** Query, key and value, which are stacked here and apart there; `.weight` and `.bias` follow. */
  readonly projections: readonly [query: string, key: string, value: string]
}

const norm = (ours: string, theirs: string) => ({
  [`${ours}.weight`]: `${theirs}.weight`,
  [`${ours}.bias`]: `${theirs}.bias`,
})
const linear = norm

const vit: Layout = {
  prefixes: ['', 'vit.'],
  names: {
    class_token: 'embeddings.cls_token',
    pos_embed: 'embeddings.position_embeddings',
    ...linear('patch_embed', 'embeddings.patch_embeddings.projection'),
    ...norm('blocks.{}.norm1', 'encoder.layer.{}.layernorm_before'),
    ...linear('blocks.{}.attn.out_proj', 'encoder.layer.{}.attention.output.dense'),
    ...norm('blocks.{}.norm2', 'encoder.layer.{}.layernorm_after'),
    ...linear('blocks.{}.fc1', 'encoder.layer.{}.intermediate.dense'),
    ...linear('blocks.{}.fc2', 'encoder.layer.{}.output.dense'),
    ...norm('norm_post', 'layernorm'),
    ...linear('classifier', '/classifier'),
  },
  projections: [
    'encoder.layer.{}.attention.attention.query',
    'encoder.layer.{}.attention.attention.key',
    'encoder.layer.{}.attention.attention.value',
  ],
}

const dinov2: Layout = {
  prefixes: ['', 'dinov2.'],
  names: {
    ...vit.names,
    ...norm('blocks.{}.norm1', 'encoder.layer.{}.norm1'),
    ...norm('blocks.{}.norm2', 'encoder.layer.{}.norm2'),
    'blocks.{}.scale1': 'encoder.layer.{}.layer_scale1.lambda1',
    'blocks.{}.scale2': 'encoder.layer.{}.layer_scale2.lambda1',
    ...linear('blocks.{}.fc1', 'encoder.layer.{}.mlp.fc1'),
    ...linear('blocks.{}.fc2', 'encoder.layer.{}.mlp.fc2'),
  },
  projections: vit.projections,
}

const clip: Layout = {
  prefixes: ['vision_model.', ''],
  names: {
    class_token: 'embeddings.class_embedding',
    pos_embed: 'embeddings.position_embedding.weight',
    'patch_embed.weight': 'embeddings.patch_embedding.weight',
    // The misspelling is theirs.
    ...norm('norm_pre', 'pre_layrnorm'),
    ...norm('blocks.{}.norm1', 'encoder.layers.{}.layer_norm1'),
    ...linear('blocks.{}.attn.out_proj', 'encoder.layers.{}.self_attn.out_proj'),
    ...norm('blocks.{}.norm2', 'encoder.layers.{}.layer_norm2'),
    ...linear('blocks.{}.fc1', 'encoder.layers.{}.mlp.fc1'),
    ...linear('blocks.{}.fc2', 'encoder.layers.{}.mlp.fc2'),
    ...norm('norm_post', 'post_layernorm'),
    'projection.weight': '/visual_projection.weight',
  },
  projections: [
    'encoder.layers.{}.self_attn.q_proj',
    'encoder.layers.{}.self_attn.k_proj',
    'encoder.layers.{}.self_attn.v_proj',
  ],
}

export type HfFamily = 'vit' | 'clip' | 'dinov2'
const layouts: Record<HfFamily, Layout> = { vit, clip, dinov2 }

/** The prefix that a checkpoint's names have; undefined where none of the family's class tokens is there. */
export function findPrefix(family: HfFamily, has: (name: string) => boolean): string | undefined {
  const { prefixes, names } = layouts[family]
  return prefixes.find((prefix) => has(prefix + names.class_token!))
}

/** The tensor of theirs that is our parameter `name`, or the three that make it when stacked along the first axis. */
export function hfNames(family: HfFamily, prefix: string, name: string): readonly string[] {
  const { names, projections } = layouts[family]
  const [, block = ''] = /^blocks\.(\d+)\./.exec(name) ?? []
  const generic = name.replace(/^blocks\.\d+\./, 'blocks.{}.')
  const place = (theirs: string) =>
    theirs.startsWith('/') ? theirs.slice(1) : prefix + theirs.replace('{}', block)
  const [, kind] = /\.attn\.in_proj_(weight|bias)$/.exec(name) ?? []
  if (kind) return projections.map((projection) => place(`${projection}.${kind}`))
  const theirs = names[generic]
  if (!theirs) throw new Error(`${family} has no name for the parameter ${name}`)
  return [place(theirs)]
}
