// The size of a teacher, as the metadata of a file of its embeddings tell it. Reports show it beside the students.

/** Sizes of a teacher; each is absent if it is not known. */
export interface TeacherSize {
  /** Number of weights. */
  readonly parameterCount?: number
  /** Height in pixels of the images that the teacher saw. */
  readonly imageSize?: number
  /** Side of a patch in pixels. */
  readonly patch?: number
}

const fields = {
  teacher_parameters: 'parameterCount',
  teacher_image_size: 'imageSize',
  teacher_patch: 'patch',
} as const

/** Reads the size of the teacher from the metadata of a file of embeddings. Values that are no whole numbers from 1 on are left out. */
export function teacherSize(metadata: Readonly<Record<string, string>>): TeacherSize {
  const found = Object.entries(fields).map(
    ([name, field]) => [field, Number(metadata[name])] as const,
  )
  return Object.fromEntries(found.filter(([, value]) => Number.isSafeInteger(value) && value > 0))
}
