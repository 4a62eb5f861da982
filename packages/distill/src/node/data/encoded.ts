// Data sets of encoded images, by format: what there is, with nothing decoded yet.

import type { EncodedImages } from './dataset.js'
import type { EncodedSplits } from './decode.js'
import { listImageFolder } from './image-folder.js'
import { listParquet } from './parquet.js'

const formats: Record<
  EncodedImages['format'],
  (directory: string, warn: (message: string) => void) => Promise<EncodedSplits>
> = { images: listImageFolder, parquet: listParquet }

/** @throws DatasetError */
export const listEncoded = (
  format: EncodedImages['format'],
  directory: string,
  warn: (message: string) => void,
): Promise<EncodedSplits> => formats[format](directory, warn)
